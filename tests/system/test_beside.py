"""A thread of the child waits for a lock while another one goes on."""

import signal
import subprocess

from harness import COMMAND, build_program, driven, driven_until_found, execute, side_by_side
from test_deadlock import children_of

# Arguments of the program to what is found. These waits never end:
ENDLESS = {
    # A mutex that only its owner can unlock.
    "recursive sleeps": "deadlock", "errorcheck sleeps": "deadlock", "robust sleeps": "deadlock",
    "errorcheck releases": "deadlock",
    # Whoever sleeps until a handler has run, where there is none, does nothing any more.
    "normal pauses": "deadlock", "semaphore pauses": "deadlock", "semaphore polls": "deadlock",
    # Who goes on could unlock it, against the rules.
    "normal sleeps": "suspect", "rwlock sleeps": "suspect",
    # They do not tell who took them.
    "semaphore sleeps": "suspect", "futex sleeps": "suspect",
    # The process goes on, without a thread of it.
    "recursive sleeps second": "suspect", "normal sleeps second": "suspect",
}
# These end:
ENDS = {
    "normal obeys": "suspect", "normal obeys second": "suspect", "semaphore releases": None,
    "semaphore releases second": None, "semaphore asked": None,
    # Locked by the thread that forks, which unlocks it in the child.
    "normal releases heir": None,
    # Threads of a pool that have nothing to do.
    "normal idles": None,
    # Another thread works, is to give a signal, or has taken the lock after the fork.
    "semaphore computes": None, "condition releases": None, "semaphore holds": None,
}
# Judged when they have lasted ten times as long.
LATE = {"semaphore sleeps", "futex sleeps", "semaphore computes", "condition releases",
        "semaphore holds"}


def found(run):
    return [e["event"] for e in run.events if e["event"] in ("suspect", "deadlock")]


def stuck_after(words):
    return "0.1" if words in LATE else "0.5"


def endless(words, expected):
    def test():
        command = [build_program("beside"), *words.split()]
        run = driven_until_found(command, "--stuck-after", stuck_after(words))
        assert found(run) == [expected], (run.status, run.err)
        assert run.status == (66 if expected == "deadlock" else 128 + signal.SIGKILL), run.status
        (finding,) = run.named(expected)
        assert "wait_for_lock" in [f.get("function") for f in finding["stack"]], finding["stack"]
        second = "second" in words
        assert (finding["tid"] != finding["pid"]) == second, finding
        assert ("has a thread that may wait forever" in run.err) == second, run.err
        if not words.startswith(("semaphore", "futex")):
            assert finding["lock"]["owner_tid"] == run.first_forks[0]["others"][0]["tid"], finding
    return test


def ends(words, expected):
    def test():
        run = driven_until_found([build_program("beside"), *words.split()], "--stuck-after",
                                 stuck_after(words), sent=signal.SIGUSR1)
        assert found(run) == ([expected] if expected else []), (run.status, run.err)
        assert run.status == 0, (run.status, run.err)
    return test


def test_waits_beside_others():
    build_program("beside")
    tests = {words: endless(words, expected) for words, expected in ENDLESS.items()}
    tests.update({words: ends(words, expected) for words, expected in ENDS.items()})
    side_by_side(tests, 5)


def test_evidence():
    program = build_program("beside")
    run = driven([program, "recursive", "sleeps"], "--stuck-after", "0.5")
    assert "the first task of the process sleeps in a futex wait without a timeout" in run.err
    assert "refuses to be unlocked by another thread than its owner" in run.err, run.err
    run = driven_until_found([program, "normal", "sleeps", "second"], "--stuck-after", "0.5")
    assert "but it does not refuse that" in run.err, run.err
    assert "but the first task of the process goes on" in run.err, run.err
    run = driven([program, "semaphore", "pauses"], "--stuck-after", "0.5")
    assert "all 2 tasks sleep without a timeout: 1 in futex waits" in run.err, run.err


def test_diagnose():
    with subprocess.Popen([str(build_program("beside")), "recursive", "sleeps"]) as process:
        for _ in range(20):  # the program may not have forked yet
            run = execute([COMMAND, "diagnose", "--stuck-after", "0.5", process.pid])
            if run.returncode:
                break
        for child in children_of(process.pid):
            subprocess.run(["kill", "-9", str(child)], check=True)
        process.wait()
    assert run.returncode == 66 and "forkhound: DEADLOCK: " in run.stdout, run.stdout
    assert f"of its parent {process.pid}, which is now at:" in run.stdout, run.stdout
