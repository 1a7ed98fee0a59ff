"""What is proven, what is suspected, and what is neither."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness import (BUILD, COMMAND, LIMIT, PROGRAMS, Run, build_cxx, build_library, build_program,
                     driven, driven_until_found, environment, execute, read_events, side_by_side)
from run import Skip
from test_suspect import COMPUTES, OWN_ENDS, SPINS

KINDS = {
    "normal": "pthread_mutex", "recursive": "pthread_mutex", "errorcheck": "pthread_mutex",
    "adaptive": "pthread_mutex", "robust": "pthread_mutex", "pshared": "pthread_mutex",
    "rwlock_write": "pthread_rwlock", "rwlock_read": "pthread_rwlock",
    "rwlock_by_reader": "pthread_rwlock", "condition": "condition variable", "barrier": "barrier",
    "semaphore": "semaphore", "futex": "futex",
}
# Of the objects in the structure of the program: sizes are those of glibc on x86-64.
OFFSETS = {"pthread_rwlock": 40, "condition variable": 96, "barrier": 144, "semaphore": 176,
           "futex": 208}
OWNED = {"normal", "recursive", "errorcheck", "adaptive", "robust", "pshared", "rwlock_write",
         "rwlock_read"}


def proven(kind):
    def test():
        run = driven([build_program("locks"), kind])
        assert run.status == 66, (run.status, run.err)
        (finding,) = run.named("deadlock")
        lock = finding["lock"]
        assert lock["kind"] == KINDS[kind], lock
        assert lock.get("symbol") == "private_locks", lock
        assert lock.get("symbol_offset", 0) == OFFSETS.get(KINDS[kind], 0), lock
        (first,) = run.first_forks
        if kind in OWNED:
            assert lock["owner_tid"] == first["others"][0]["tid"], lock
            assert finding["owner"]["tid"] == lock["owner_tid"]
            assert "held at the fork" in run.err, run.err
        else:
            assert "owner_tid" not in lock, lock
        assert "wait_in_child" in [f.get("function") for f in finding["stack"]], finding["stack"]
        assert run.err.count("forkhound: DEADLOCK: ") == 1, run.err
        (end,) = run.named("exit")
        assert end["fork"] == first["id"] and end["pid"] == finding["pid"], end
        assert end["status"] == 128 + signal.SIGKILL, end
        assert "SUMMARY: forkhound: deadlock at " in run.err and "locks.c:" in run.err, run.err
    return test


CXX_KINDS = ("mutex", "recursive", "shared_write", "shared_read", "shared_by_reader", "guard",
             "semaphore", "atomic", "future", "condition", "latch", "barrier", "character")
CXX_NAMES = {"shared": "pthread_rwlock", "guard": "guard of a static variable",
             "semaphore": "std::counting_semaphore", "atomic": "std::atomic wait",
             "future": "std::future", "condition": "condition variable", "latch": "std::latch",
             "barrier": "std::barrier", "character": "std::atomic wait"}
CXX_OWNED = {"mutex", "recursive", "shared_write", "shared_read"}


def proven_cxx(kind):
    def test():
        # The functions that tell are compiled into the program, where -O2 leaves out some.
        run = driven([build_cxx("cxx_locks", "-std=c++20", "-O0"), kind])
        assert run.status == 66, (run.status, run.err)
        (finding,) = run.named("deadlock")
        owner = finding["lock"].get("owner_tid")
        expected = run.first_forks[0]["others"][0]["tid"] if kind in CXX_OWNED else None
        assert owner == expected, finding["lock"]
        assert finding["lock"]["kind"] == CXX_NAMES.get(kind.split("_")[0], "pthread_mutex"), finding
        symbol = {"guard": "guard variable for made_once()::instance",
                  "atomic": "word"}.get(kind, kind.split("_")[0])
        if kind not in ("future", "barrier", "character"):  # the last two by a word of the library
            assert finding["lock"]["symbol"] == symbol, finding["lock"]
        caller = "made_once" if kind == "guard" else "wait_in_child"
        assert f" in {caller}, forked at " in run.err, run.err
    return test


# What the test sends to end a wait, when it has been suspected: never too early, however slow it is.
SENT = {"handler": signal.SIGUSR1, "beside": signal.SIGUSR1, "alarm": signal.SIGALRM,
        "jump": signal.SIGUSR1, "signal": signal.SIGUSR1, "timer": signal.SIGALRM,
        "jump_from_mutex": signal.SIGALRM, "jump_from_mutex_by_signal": signal.SIGUSR1,
        "jump_by_posix_timer": signal.SIGRTMIN}


def not_proven(kind, ending=None, finding=None, limit="4"):
    def test():
        command = [build_program("locks"), kind] + ([ending] if ending else [])
        run = (driven_until_found(command, sent=SENT.get(ending, signal.SIGKILL)) if finding
               else driven(command, "--time-limit", limit))
        assert not run.named("deadlock"), run.named("deadlock")
        assert [e["event"] for e in run.events if e["event"] in ("suspect", "deadlock")] == (
            [finding] if finding else []), run.err
        expected = 0 if ending else 128 + 9 if finding else 124
        assert run.status == expected, (run.status, run.err)
    return test


ENDS = {"sleep": None, "waitpid": None, "pipe": None, "socket": None, "jump": "suspect",
        "jump_from_mutex": "suspect", "jump_from_mutex_by_signal": "suspect",
        "jump_by_posix_timer": "suspect", "timer": "suspect",
        "signal": "suspect", "sibling": None, "own_thread": None, "debugger": None, "once": None,
        "join": None, "stdio": None, "malloc": None}


def join_hangs():
    """From some version of glibc on pthread_join() does not know that the fork left a thread behind."""
    return execute(["timeout", "4", build_program("ends"), "join"]).returncode == 124


def wait_ends(kind):
    def test():
        run = driven_until_found([build_program("ends"), kind], "--stuck-after", "0.5",
                                 sent=SENT.get(kind, signal.SIGKILL))
        if kind == "join" and join_hangs():
            assert run.status == 66 and len(run.named("deadlock")) == 1, (run.status, run.err)
            return
        assert run.status == 0, (run.status, run.err)
        assert [e["event"] for e in run.events if e["event"] in ("suspect", "deadlock")] == (
            [ENDS[kind]] if ENDS[kind] else []), run.err
    return test


def before_exec(kind):
    def test():
        how = {"env": environment(LD_PRELOAD=str(build_library("unsafe_allocator", "-fno-builtin")))}
        program = build_program("before_exec")
        run = driven([program, kind], "--stuck-after", "0.5", **how)
        assert run.status == 66, (run.status, run.err)
        (finding,) = run.named("deadlock")
        lock = finding["lock"]
        assert lock["symbol"] == ("log_lock" if kind == "log" else "allocator_lock"), lock
        assert lock["owner_tid"] == run.first_forks[0]["others"][0]["tid"], lock
        assert "before_exec" in [f.get("function") for f in finding["stack"]], finding["stack"]
        run = driven([program, kind, "released"], "--stuck-after", "0.5", **how)
        assert run.status == 0 and not run.named("deadlock"), (run.status, run.err)
        assert len(run.named("exec")) == 1, run.events
    return test


# Each of these 20 times, side by side: scripts/test --full.
TWENTY = {
    **{f"locks {kind}": "deadlock" for kind in KINDS},
    **{f"cxx_locks {kind}": "deadlock" for kind in CXX_KINDS},
    **{f"ends {kind}": finding for kind, finding in ENDS.items()},
    "locks normal grandchild": "deadlock", "locks normal shared": None,
    "locks semaphore shared": None, "locks semaphore handler": "suspect",
    "locks semaphore alarm": "suspect", "locks timed": "suspect",
    **{f"spins {kind}": "suspect" for kind in SPINS},
    **{f"spins {kind}": None for kind in COMPUTES},
    **{f"own_end {kind}": "suspect" for kind in OWN_ENDS},
    **{f"own_end {kind} {ending}": None for kind in OWN_ENDS for ending in ("elsewhere", "handler")},
    "stuck_handler": "suspect", "stuck_handler slow": None,
}


def twenty(command, finding):
    """The busy ones are fewer at once: they share the processors."""
    def test():
        name, *words = command.split()
        program = (build_cxx(name, "-std=c++20") if name == "cxx_locks" else build_program(name))
        at_once = 5 if name == "spins" else 20
        script = f"for i in $(seq {at_once}); do {program} {' '.join(words)} & done; wait"
        found = []
        for _ in range(20 // at_once):
            sent = SENT.get(words[-1] if words else None, signal.SIGKILL)
            run = driven_until_found(["sh", "-c", script], sent=sent)
            found += [(e["event"], e["pid"]) for e in run.events
                      if e["event"] in ("suspect", "deadlock")]
        assert sorted(e for e, _ in found) == ([finding] * 20 if finding else []), (
            len(found), run.err[-4000:])
        assert len({pid for _, pid in found}) == len(found), found
    return test


def generated():
    tests = {f"test_proven_{kind}": proven(kind) for kind in KINDS}
    tests.update({f"test_proven_cxx_{kind}": proven_cxx(kind) for kind in CXX_KINDS})
    tests.update({
        "test_shared_mutex_that_is_released": not_proven("normal", "shared"),
        "test_shared_semaphore_that_is_posted": not_proven("semaphore", "shared"),
        "test_semaphore_posted_by_a_handler": not_proven("semaphore", "handler", "suspect"),
        "test_semaphore_posted_by_an_alarm": not_proven("semaphore", "alarm", "suspect"),
        "test_timed_lock_in_a_loop": not_proven("timed", finding="suspect"),
        "test_pipe_of_its_own": not_proven("pipe", finding="suspect"),
        "test_pause": not_proven("pause"),
    })
    tests.update({f"test_before_exec_{kind}": before_exec(kind)
                  for kind in ("malloc", "opendir", "setenv", "log")})
    if "--full" in sys.argv:
        tests.update({"test_twenty_" + command.replace(" ", "_"): twenty(command, finding)
                      for command, finding in TWENTY.items()})
    return tests


def test_grandchild_in_a_session_of_its_own():
    run = driven([build_program("locks"), "normal", "grandchild"])
    assert run.status == 66, (run.status, run.err)
    (finding,) = run.named("deadlock")
    (fork,) = run.named("fork")
    assert finding["pid"] != fork["child"] and finding["fork"] == fork["id"], finding
    assert finding["owner"]["tid"] == fork["others"][0]["tid"]
    assert [e["status"] for e in run.named("exit") if e["pid"] == finding["pid"]] == [128 + 9]


def test_handler_does_not_release_a_mutex():
    """Nor can it jump out of the wait: the program calls no longjmp()."""
    run = driven([build_program("locks"), "normal", "handler"])
    assert run.status == 66 and len(run.named("deadlock")) == 1, (run.status, run.err)


def test_end_by_a_signal():
    run = driven(["sh", "-c", f"{build_program('locks')} pause killed; exit 0"])
    (fork,) = run.named("fork")
    (end,) = run.named("exit")
    assert end["pid"] == fork["child"] and end["fork"] == fork["id"], end
    assert "status" not in end and end["by"] == "forkhound", end


def left_behind(command, *options, sent=None):
    """The output goes to files: what is left behind keeps them open. It is ended here."""
    with tempfile.TemporaryDirectory() as folder:
        log, err = Path(folder) / "events", Path(folder) / "err"
        with open(err, "w") as to_err, subprocess.Popen(
                [str(c) for c in (COMMAND, "run", "--log", log, *options, "--", *command)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=to_err,
                env=environment()) as process:
            try:
                if sent:
                    while not log.exists() or '"fork"' not in log.read_text():
                        time.sleep(0.01)
                    while children_of(process.pid) != [e["child"] for e in read_events(log)
                                                       if e["event"] == "fork"]:
                        time.sleep(0.01)
                    process.send_signal(sent)
                process.wait(LIMIT)
            finally:
                process.kill()
        process.stdout, process.stderr = "", err.read_text(errors="replace")
        run = Run(process, read_events(log))
    run.left = []
    for fork in run.named("fork"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(fork["child"], signal.SIGKILL)
            run.left.append(fork["child"])
    return run


def children_of(pid):
    """But for the command's own."""
    own = ("forkhound-tidy\n", "forkhound-names\n")
    pids = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(p) for p in pids if Path(f"/proc/{p}/comm").read_text() not in own]


def test_stuck_child_of_a_command_that_has_ended():
    program = build_program("locks")
    for command in ([program, "normal", "left"], ["sh", "-c", f"{program} normal left & wait"],
                    ["sh", "-c", f"{program} normal & sleep 0.5"]):
        run = left_behind(command)
        assert run.status == 66, (command, run.status, run.err)
        (finding,) = run.named("deadlock")
        assert finding["pid"] == run.first_forks[0]["child"], finding
        assert [e["status"] for e in run.named("exit")] == [128 + 9], run.named("exit")
        assert "forkhound: DEADLOCK: " in run.err, run.err
    run = left_behind([program, "pipe", "left"], "--fail-on", "suspect")
    assert run.status == 66 and len(run.named("suspect")) == 1, (run.status, run.err)
    run = left_behind([program, "normal", "left"], "--fail-on", "never")
    assert run.status == 0 and len(run.named("deadlock")) == 1, (run.status, run.err)


def test_healthy_child_of_a_command_that_has_ended():
    """None of them is waited for until it could be judged: after the limit of the test."""
    program = build_program("locks")
    for kind in ("pause", "poll", "timed"):
        run = left_behind([program, kind, "left"], "--stuck-after", "1000")
        assert run.status == 0 and len(run.left) == 1, (kind, run.status, run.err)


def test_end_of_the_wait_for_a_stuck_child():
    program = build_program("locks")
    for number in (signal.SIGINT, signal.SIGTERM):
        run = left_behind([program, "normal", "left"], "--stuck-after", "1000", sent=number)
        assert run.status == 0 and not run.named("deadlock"), (run.status, run.err)
    run = left_behind([program, "normal", "left"], "--stuck-after", "1000", "--time-limit", "1")
    assert run.status == 124 and not run.named("deadlock"), (run.status, run.err)


def test_waits_that_end():
    build_program("ends")
    side_by_side({kind: wait_ends(kind) for kind in ENDS}, 5)


def test_missing_thread_in_words():
    """A wait for a thread, not for a lock that one held."""
    for kind, words in (("condition", "A condition variable has no owner: the thread that was to "),
                        ("semaphore", "A semaphore has no owner: the thread that was to post it")):
        run = driven([build_program("locks"), kind], "--stuck-after", "0.5")
        assert "waits forever for what only a thread could do that the fork left" in run.err, run.err
        assert words in run.err and "other thread was alive at the fork" in run.err, run.err


def test_thousand_children():
    run = driven([build_program("many_children")], "--fail-on", "never")
    assert run.status == 0, (run.status, run.err[-2000:])
    assert len(run.named("deadlock")) == 5 and not run.named("suspect"), run.named("deadlock")
    assert len(run.named("fork")) == 1000, len(run.named("fork"))


def test_pid_of_another():
    run = driven([build_program("many_children"), "reuse"], "--stuck-after", "0.5")
    if run.status == 77:
        raise Skip("the next pid cannot be chosen")
    assert run.status == 0 and not run.named("deadlock"), (run.status, run.err)


def test_pid_of_another_namespace():
    """The children of a command in a PID namespace have the pids of others here, which wait."""
    own = ["unshare", "--pid", "--fork", "--mount-proc"]
    if shutil.which("unshare") is None or execute([*own, "true"]).returncode:
        raise Skip("no PID namespace can be made")
    with subprocess.Popen([str(build_program("locks")), "semaphore"]) as process:
        while len(children_of(process.pid)) != 1:
            time.sleep(0.01)
        (other,) = children_of(process.pid)
        script = f"echo {other - 6} >/proc/sys/kernel/ns_last_pid; exec \"$@\""
        run = driven([*own, "sh", "-c", script, "sh", build_program("many_children"), "namespace"],
                     "--stuck-after", "0.5")
        alive = Path(f"/proc/{other}/exe").exists()
        if alive:
            os.kill(other, signal.SIGKILL)
        process.wait()
    assert other in [e["child"] for e in run.named("fork")], [e["child"] for e in run.named("fork")]
    assert alive and run.status == 0 and not run.named("deadlock"), (run.status, run.err)
    run = driven(["true"])
    assert run.status == 0 and not run.err, (run.status, run.err)
    run = execute(["unshare", "--pid", "--fork", COMMAND, "run", "true"])
    assert run.returncode == 0 and run.stderr.count("\n") == 1, (run.returncode, run.stderr)
    assert "not that of this PID namespace: children are not watched" in run.stderr, run.stderr
    run = execute(["unshare", "--pid", "--fork", COMMAND, "run", "--time-limit", "0.5", "--", "sleep",
                   "60"], limit=10)
    assert run.returncode == 124, (run.returncode, run.stderr)
    run = execute(["unshare", "--pid", "--fork", COMMAND, "diagnose", "1"], limit=10)
    assert run.returncode == 125 and run.stderr.count("\n") == 1, (run.returncode, run.stderr)


def test_diagnose_in_another_namespace():
    """Locks have the tids that the process knows, which are others here."""
    own = ["unshare", "--pid", "--fork", "--mount-proc"]
    if shutil.which("unshare") is None or execute([*own, "true"]).returncode:
        raise Skip("no PID namespace can be made")
    for kind, words in (("twice", "waits forever for a lock that its own thread {child} holds"),
                        ("normal", "The owner is thread {owner} \"locks\" of its parent {parent}")):
        with subprocess.Popen([*own, str(build_program("locks")), kind]) as process:
            while not (below := children_of(process.pid)) or not children_of(below[0]):
                time.sleep(0.01)
            parent, (child,) = below[0], children_of(below[0])
            (owner,) = (int(t.name) for t in Path(f"/proc/{parent}/task").iterdir()
                        if int(t.name) != parent)
            run = execute([COMMAND, "diagnose", "--stuck-after", "0.5", process.pid])
            os.kill(child, signal.SIGKILL)
            process.wait()
        expected = words.format(child=child, owner=owner, parent=parent)
        assert run.returncode == 66 and expected in run.stdout, (kind, run.stdout)


def test_rust_locks():
    if not shutil.which("rustc"):
        raise Skip("rustc is not installed")
    target = BUILD / "programs/rust_lock"
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["rustc", "-g", "-C", "symbol-mangling-version=v0", "-o", str(target),
                    str(PROGRAMS / "rust_lock.rs")], check=True)
    kinds = {"mutex": "Mutex", "rwlock": "RwLock", "condvar": "Condvar", "once": "Once"}
    tests = {kind: rust(target, kind, f"Rust std::sync::{name}") for kind, name in kinds.items()}
    tests["park"] = rust(target, "park", "Rust std::thread::park")
    tests["channel"] = rust(target, "channel", "Rust std::sync::mpsc channel")
    side_by_side(tests, 3)


def rust(target, kind, name):
    def test():
        run = driven([target, kind])
        (finding,) = run.named("deadlock")
        assert run.status == 66 and finding["lock"]["kind"] == name, (run.status, run.err)
        assert "owner_tid" not in finding["lock"], finding["lock"]
        assert " rust_lock::main " in run.err and " rust_lock::main::{closure#0} " in run.err
        symbol = {"mutex": "MUTEX", "rwlock": "RWLOCK", "condvar": "CONDVAR", "once": "ONCE"}
        assert kind not in symbol or f"`rust_lock::{symbol[kind]}" in run.err, run.err
        assert "_RN" not in run.err, run.err
        # Neither of them names the standard library, in which the waits are.
        (summary,) = (l for l in run.err.splitlines() if l.startswith("SUMMARY: forkhound: deadlock"))
        assert "rust_lock.rs:" in summary and " in rust_lock::wait, forked at " in summary, summary
        assert "std::" in " ".join(f.get("function", "") for f in finding["stack"]), finding
    return test


def test_actions():
    program = build_program("locks")
    run = driven([program], "--on-deadlock", "report", "--time-limit", "4")
    assert run.status == 66 and len(run.named("deadlock")) == 1, run.err
    run = driven([program], "--on-deadlock", "stop", "--time-limit", "4")
    assert "gdb -p" in run.err, run.err
    run = driven([program], "--fail-on", "never")
    assert run.status == 128 + 9, (run.status, run.err)


def test_python_stderr_lock():
    run = driven(["sh", "-c", f"exec python3 -E {PROGRAMS}/stderr_lock.py 2>/dev/null"],
                 "--time-limit", "60")
    assert run.status == 66, (run.status, run.err[-2000:])
    (finding,) = run.named("deadlock")
    assert finding["stack"] and "SUMMARY: forkhound: deadlock" in run.err


def test_diagnose():
    """A process that was not started under forkhound."""
    with subprocess.Popen([str(build_program("locks"))]) as process:
        for _ in range(20):  # the program may not have forked yet
            run = execute([COMMAND, "diagnose", process.pid])
            if run.returncode:
                break
        events = execute([COMMAND, "diagnose", "--json", process.pid]).stdout.splitlines()
        finding = json.loads(events[0])
        os.kill(finding["pid"], signal.SIGKILL)
        process.wait()
    assert run.returncode == 66, run.stderr
    assert "forkhound: DEADLOCK: " in run.stdout and "holder" in run.stdout, run.stdout
    assert len(events) == 1 and finding["event"] == "deadlock", events
    assert finding["owner"]["tid"] == finding["lock"]["owner_tid"]
    assert "wait_in_child" in [f.get("function") for f in finding["stack"]], finding


def test_lock_held_by_the_process_itself():
    """Its own thread has locked the mutex, and locks it again."""
    program = build_program("locks")
    run = driven([program, "twice"])
    (finding,) = run.named("deadlock")
    assert run.status == 66 and finding["lock"]["held_by"] == finding["pid"], (run.status, finding)
    with subprocess.Popen([str(program), "twice"]) as process:
        for _ in range(20):  # the program may not have forked yet
            diagnosis = execute([COMMAND, "diagnose", process.pid])
            if diagnosis.returncode:
                break
        child = children_of(process.pid)[0]
        os.kill(child, signal.SIGKILL)
        process.wait()
    for pid, text in ((finding["pid"], run.err), (child, diagnosis.stdout)):
        assert f"waits forever for a lock that its own thread {pid} holds" in text, text
        assert f"is held by thread {pid} of the process itself, which waits too" in text, text
        assert "it does not have" not in text and "left behind" not in text, text


def test_thread_of_the_child_that_waits():
    """The child's first thread waits for another one of its, which waits for what is lost."""
    program = build_program("locks")
    for kind in ("normal", "semaphore"):
        run = driven([program, kind, "joined"], "--stuck-after", "0.5")
        (finding,) = run.named("deadlock")
        assert run.status == 66 and finding["lock"]["kind"] == KINDS[kind], (run.status, run.err)
        assert finding["tid"] != finding["pid"], finding
        assert f"Thread {finding['tid']} of child {finding['pid']} now:" in run.err, run.err
        assert "wait_in_child" in [f.get("function") for f in finding["stack"]], finding["stack"]
        if kind == "normal":
            assert finding["owner"]["tid"] == run.first_forks[0]["others"][0]["tid"], finding
    run = driven([program, "condition", "joined"], "--stuck-after", "0.5")
    assert run.named("deadlock")[0]["lock"]["kind"] == "condition variable", run.err
    run = driven_until_found([program, "normal", "beside"], "--stuck-after", "0.5",
                             sent=signal.SIGUSR1)  # its first thread goes on
    assert run.status == 0 and len(run.named("suspect")) == 1, (run.status, run.err)


def test_first_thread_of_the_child_has_ended():
    """By its state it is a zombie: it has not ended, and the time limit ends it."""
    run = driven([build_program("locks"), "pause", "alone"], "--time-limit", "1")
    (fork,) = run.named("fork")
    (end,) = run.named("exit")
    assert run.status == 124 and end["time_ns"] - fork["time_ns"] > 800_000_000, (run.status, end)
    assert not Path(f"/proc/{fork['child']}").exists(), run.err


def test_asked_to_end():
    """A process that never forked, and waits to be asked to end, is not called deadlocked."""
    program = ("import signal, threading; stop = threading.Event(); "
               "signal.signal(signal.SIGTERM, lambda *_: stop.set()); "
               "print(flush=True); stop.wait()")
    with subprocess.Popen(["python3", "-c", program], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        run = execute([COMMAND, "diagnose", "--stuck-after", "0.3", process.pid])
        process.terminate()
    assert process.returncode == 0 and run.returncode == 0, (run.returncode, run.stdout)
    assert "handles signal 15 (SIGTERM), whose handler could still end" in run.stdout, run.stdout


def test_diagnose_says_what_is_wrong():
    with subprocess.Popen(["sleep", "30"]) as process:
        run = execute([COMMAND, "diagnose", "--stuck-after", "0.2", process.pid])
        process.kill()
    assert run.returncode == 0 and "no deadlock seen" in run.stdout, run.stdout
    run = execute([COMMAND, "diagnose", "99999999"])
    assert run.returncode == 125 and run.stderr.count("\n") == 1, run.stderr
    run = execute([COMMAND, "diagnose", "4194303"])
    assert run.returncode == 125 and "there is no such process" in run.stderr, run.stderr


def test_fixed_address():
    """A program linked to one address: offsets are the addresses in its file, in all events."""
    program = build_program("locks", "-no-pie", "-Wl,--section-start=.text=0xa00000")
    run = driven([program])
    (finding,) = run.named("deadlock")
    own = [f for stack in (finding["stack"], run.first_forks[0]["site"], finding["owner"]["stack"])
           for f in stack if f.get("module") == str(program)]
    assert {"main", "holder", "wait_in_child"} <= {f["function"] for f in own}, own
    assert all(f["pc"] == f["offset"] for f in own), own
    assert finding["lock"]["offset"] == finding["lock"]["address"], finding["lock"]
