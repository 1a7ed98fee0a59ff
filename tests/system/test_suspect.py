"""What is suspected, with its evidence, and what looks like it and is not."""

import json
import os
import signal
import subprocess

from harness import (COMMAND, build_program, driven, driven_until_found, execute,
                     side_by_side)
from run import Skip

SPINS = ("pthread", "test_and_set", "yield", "counted")
COMPUTES = ("alarm", "released", "delay", "atomic", "hash", "memory", "zeros", "floating")
OWN_ENDS = ("pipe", "eventfd", "socketpair", "poll", "select", "epoll")


def spin(kind):
    def test():
        run = driven_until_found([build_program("spins"), kind], "--stuck-after", "0.5")
        (finding,) = run.named("suspect")
        assert finding["what"] == "spin" and not run.named("deadlock"), finding
        word = {"pthread": "spinlock", "test_and_set": "flag"}.get(kind, "word")
        assert finding["lock"]["symbol"] == word, finding["lock"]
        assert "spin_in_child" in [f.get("function") for f in finding["stack"]], finding["stack"]
        assert ("sched_yield" in " ".join(finding["proof"])) == (kind == "yield"), finding["proof"]
        assert "SUSPECT: child" in run.err and "Evidence: " in run.err, run.err
        assert run.status == 128 + 9, (run.status, run.err)
    return test


def computation(kind):
    def test():
        run = driven([build_program("spins"), kind], "--stuck-after", "0.5", "--fail-on", "suspect")
        assert run.status == 0 and not run.named("suspect"), (run.status, run.err)
    return test


def own_end(kind):
    def test():
        program = build_program("own_end")
        run = driven_until_found([program, kind], "--stuck-after", "0.5")
        (finding,) = run.named("suspect")
        expected = kind if kind in ("eventfd", "socketpair") else "pipe"
        assert finding["what"] == "own end" and finding["lock"]["kind"] == expected, finding
        assert "wait_in_child" in [f.get("function") for f in finding["stack"]], finding["stack"]
        # The look at its stack has not ended the wait.
        assert run.status == 128 + 9, (run.status, run.err)
        for ending in ("elsewhere", "handler"):
            run = driven([program, kind, ending], "--stuck-after", "0.5", "--fail-on", "suspect")
            assert run.status == 0, (ending, run.status, run.err)
    return test


def wait_with_timeout(kind):
    def test():
        run = driven([build_program("own_end"), kind], "--stuck-after", "0.5", "--fail-on", "suspect")
        assert run.status == 0, (run.status, run.err)
    return test


def test_spins():
    build_program("spins")
    side_by_side({kind: spin(kind) for kind in SPINS}, 2)


def test_computations():
    build_program("spins")
    side_by_side({kind: computation(kind) for kind in COMPUTES}, len(COMPUTES))


def test_own_ends():
    build_program("own_end")
    tests = {kind: own_end(kind) for kind in OWN_ENDS}
    tests.update({kind: wait_with_timeout(kind) for kind in ("poll_timed", "timeout")})
    side_by_side(tests, len(tests))


def test_python_that_computes():
    code = """if 1:
        import os, threading, time
        threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
        if os.fork() == 0:
            end = time.monotonic() + 4
            while time.monotonic() < end:
                sum(i * i for i in range(100000))
            os._exit(0)
        os.wait()
        os._exit(0)"""
    run = driven(["python3", "-E", "-c", code], "--stuck-after", "0.5", "--fail-on", "suspect")
    assert run.status == 0, (run.status, run.err)


def test_fail_on_suspect():
    run = driven_until_found([build_program("spins"), "yield"], "--stuck-after", "0.3",
                             "--fail-on", "suspect", "--report", "json")
    report = json.loads(run.err[run.err.index("{"):run.err.rindex("}") + 1])
    assert report["summary"]["suspect"] == 1 and report["summary"]["deadlock"] == 0, report
    assert "suspect" in [f["level"] for f in report["findings"]], report
    assert run.status == 66, run.status


def test_on_suspect():
    program = build_program("beside")
    run = driven([program, "normal", "sleeps"], "--stuck-after", "0.3", "--on-suspect", "kill")
    assert run.status == 128 + 9 and len(run.named("suspect")) == 1, (run.status, run.err)
    run = driven([program, "normal", "sleeps"], "--stuck-after", "0.3", "--on-suspect", "stop",
                 "--time-limit", "3", "--fail-on", "never")
    assert run.status == 124 and "gdb -p" in run.err, (run.status, run.err)
    run = driven(["true"], "--on-suspect", "end")
    assert run.status == 125 and "expected kill, report or stop, got 'end'" in run.err, run.err


def test_stuck_fork_handler():
    program = build_program("stuck_handler")
    run = driven_until_found([program], "--stuck-after", "0.5")
    (finding,) = run.named("suspect")
    assert finding["handler"] == program.name and finding["lock"]["symbol"] == "lock", finding
    functions = [f.get("function") for f in finding["stack"]]
    assert "before_fork" in functions and "fork_child" in functions, functions
    assert finding["owner"]["tid"] == finding["lock"]["owner_tid"], finding
    assert "does not come back from fork(): a fork handler of stuck_handler waits" in run.err
    assert run.err.splitlines()[-1].endswith("no multithreaded fork seen; 1 suspect"), run.err
    run = driven([program, "slow"], "--stuck-after", "1", "--fail-on", "suspect")
    assert run.status == 0 and not run.named("suspect"), (run.status, run.err)


def diagnosed(*command):
    """What diagnose prints about a program that was not started under forkhound."""
    with subprocess.Popen([str(c) for c in command], start_new_session=True) as process:
        try:
            for _ in range(20):  # the program may not have got there yet
                run = execute([COMMAND, "diagnose", "--stuck-after", "0.5", process.pid])
                if "SUSPECT" in run.stdout:
                    break
        finally:  # whatever was found: nothing else would end it
            os.killpg(process.pid, signal.SIGKILL)
    return run


def test_little_of_a_processor():
    """Where others want it too, one that yields is stepped through slowly."""
    program = build_program("spins")
    alone = {min(os.sched_getaffinity(0))}
    os.sched_setaffinity(0, alone)
    others = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(12)]
    os.sched_setaffinity(0, range(os.cpu_count()))
    try:
        run = diagnosed("taskset", "-c", str(*alone), program, "yield")
    finally:
        for other in others:
            other.kill()
            other.wait()
    assert "spins, and seems to wait for" in run.stdout, run.stdout


def test_diagnose():
    run = diagnosed(build_program("spins"), "yield")
    assert "spins, and seems to wait for" in run.stdout and "spin_in_child" in run.stdout, run.stdout
    run = diagnosed(build_program("own_end"), "pipe")
    assert "seems to wait for itself" in run.stdout, run.stdout
    run = diagnosed(build_program("stuck_handler"))
    assert "a fork handler of stuck_handler waits" in run.stdout, run.stdout


def openmp(policy):
    try:
        program = build_program("openmp", "-fopenmp")
    except subprocess.CalledProcessError as error:
        raise Skip("gcc has no OpenMP") from error
    return driven_until_found(["env", f"OMP_WAIT_POLICY={policy}", "OMP_NUM_THREADS=2", program])


def test_openmp_that_sleeps():
    """GNU's team waits in a futex, in the end."""
    run = openmp("passive")
    assert run.status == 66, (run.status, run.err)
    (finding,) = run.named("deadlock")
    assert finding["lock"]["kind"] == "barrier of an OpenMP team", finding
    assert "The threads of the team are not in this process." in run.err, run.err
    assert "GNU OpenMP: its threads" in run.err, run.err


def test_openmp_that_spins():
    if os.cpu_count() < 2:
        raise Skip("GNU OpenMP does not spin on one processor")
    run = openmp("active")
    (finding,) = run.named("suspect")
    assert finding["what"] == "spin" and run.status == 0, (finding, run.status)
