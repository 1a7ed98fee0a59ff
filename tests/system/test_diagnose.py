"""What diagnose says of processes of which nothing is proven: what was seen, and no more."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from harness import COMMAND, build_program, execute
from test_deadlock import children_of


@contextmanager
def with_child(*command):
    """The program when it has forked: its pid, and that of its child. Both are ended."""
    with subprocess.Popen([str(c) for c in command], stderr=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            while not (children := children_of(process.pid)):
                assert process.poll() is None, process.returncode
            yield process.pid, children[0]
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def diagnose(*pids, after="0.3"):
    return execute([COMMAND, "diagnose", "--stuck-after", after, *pids])


def until(text, *pids):
    """The process may not have got there yet."""
    for _ in range(20):
        run = diagnose(*pids)
        if text in run.stdout:
            break
    return run


WAITS = ("not judged: its first thread waits for a lock or another thread, and 1 other goes on, which may end the "
         "wait\n"
         "  thread {child} waits without a timeout for semaphore 0x[0-9a-f]+ \\(not in a module: heap, "
         "stack or thread-local\\), at \\S+own_thread.c:\\d+ in wait_in_child\n"
         "  thread \\d+ (sleeps in \\S+\\(\\)|runs), at \\S+own_thread.c:\\d+ in idle\n")


def test_child_beside_a_thread_of_its_own():
    """Given its own pid and given the parent's."""
    with with_child(build_program("own_thread")) as (parent, child):
        own, both = until("not judged", child), diagnose(parent)
    waits = WAITS.format(child=child)
    assert own.returncode == both.returncode == 0, (own.stderr, both.stderr)
    assert re.fullmatch(rf"forkhound: {child} \(own_thread\), 2 threads: {waits}", own.stdout), own.stdout
    assert re.fullmatch(
        rf"forkhound: {parent} \(own_thread\), 2 threads: no deadlock seen\n"
        rf"  thread {parent} sleeps in wait4\(\), at \S+own_thread.c:\d+ in main\n"
        rf"  thread \d+ (sleeps in \S+\(\)|runs), at \S+own_thread.c:\d+ in idle\n"
        rf"forkhound: {child} \(own_thread\), child of {parent}, 2 threads: {waits}", both.stdout), both.stdout


def test_child_that_waits_for_shared_memory():
    with with_child(build_program("own_thread"), "shared") as (parent, child):
        run = until("not judged", parent)
    assert (f"{child} (own_thread), child of {parent}, 1 thread: not judged: it waits for a lock in memory that other "
            "processes may write\n") in run.stdout, run.stdout
    assert run.returncode == 0 and "in wait_in_child\n" in run.stdout, run.stdout


def test_rest_beside_a_finding():
    """Those that may hang too are shown, and the named ones; of what is found there is only the report."""
    with with_child(build_program("own_thread")) as (first, hangs), \
            with_child(build_program("locks")) as (second, stuck), \
            subprocess.Popen(["sleep", "60"]) as sleeps:
        run = until("DEADLOCK", first, second, sleeps.pid)
        sleeps.kill()
    lines = [l for l in run.stdout.splitlines() if l.startswith("forkhound: ")]
    assert run.returncode == 66 and len(lines) == 5, run.stdout
    assert lines[0].startswith(f"forkhound: DEADLOCK: process {stuck} "), lines
    rest = dict(re.fullmatch(r"forkhound: (\d+) [^:]*: ([^:]*)(?:: .*)?", l).groups() for l in lines[1:])
    assert rest == {str(first): "no deadlock seen", str(hangs): "not judged", str(second): "no deadlock seen",
                    str(sleeps.pid): "no deadlock seen"}, lines


def test_stopped_process():
    with with_child(build_program("own_thread")) as (parent, child):
        os.kill(child, signal.SIGSTOP)
        run = until("it is stopped", parent)
    assert re.search(rf"child of {parent}, \d threads?: not judged: it is stopped\n  thread {child} is stopped, at ",
                     run.stdout), run.stdout


def test_names_are_escaped():
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "a\x1bb"
        program.symlink_to("/bin/sleep")
        with subprocess.Popen([str(program), "60"]) as process:
            run = until("(a", process.pid)
            process.kill()
    assert "\x1b" not in run.stdout and f"{process.pid} (a\\x1bb), 1 thread: no deadlock seen" in run.stdout, run.stdout


# A mutex of the C library that another thread holds.
HELD = """
import ctypes, os, threading
libc, lock = ctypes.CDLL(None), ctypes.create_string_buffer(64)
held = threading.Event()
def hold():
    libc.pthread_mutex_lock(lock)
    held.set()
    threading.Event().wait()
threading.Thread(target=hold, daemon=True).start()
held.wait()
"""


def test_owner_in_the_grandparent():
    """The child of a child: the thread that owns the lock is not one of its parent's."""
    code = HELD + """if 1:
        if os.fork() == 0:
            if os.fork() == 0:
                libc.pthread_mutex_lock(lock)
            os.wait()
            os._exit(0)
        os.wait()"""
    with with_child("python3", "-E", "-c", code) as (first, _):
        run = until("DEADLOCK", first)
    (stuck, parent) = re.search(r"DEADLOCK: process (\d+) \(\S+\), child of (\d+), waits", run.stdout).groups()
    assert first not in (int(stuck), int(parent)), run.stdout
    assert re.search(rf'The owner is thread \d+ "Thread-1 \(hold\)" of a process that it descends from, {first}, which',
                     run.stdout), run.stdout
    assert "in hold\n" in run.stdout and " no more" not in run.stdout, run.stdout


def test_waits_again_and_again_told_once():
    """The look at its stack interrupts a wait: what follows is no news."""
    code = HELD + """if 1:
        if os.fork() == 0:
            import time
            while True:
                end = int(time.time() * 1e9) + 200_000_000
                libc.pthread_mutex_timedlock(lock, (ctypes.c_long * 2)(end // 10 ** 9, end % 10 ** 9))
        os.wait()"""
    with with_child("python3", "-E", "-c", code) as (parent, _):
        run = until("SUSPECT", parent)
    assert run.stdout.count("forkhound: SUSPECT: ") == 1 and "waits again and again" in run.stdout, run.stdout


def test_processes_that_exec_in_a_loop():
    """An exec while a thread is stopped, or stepped through, must not end the process."""
    programs = [build_program("exec_loop"), build_program("exec_loop", "-static")]
    rounds = 25 if "--full" in sys.argv else 4
    for i in range(rounds):
        processes = [subprocess.Popen([str(programs[i % 2])]) for _ in range(20)]
        try:
            run = execute([COMMAND, "diagnose", "--stuck-after", "0.2", *[p.pid for p in processes]])
            assert [p.poll() for p in processes] == [None] * len(processes), run.stderr
        finally:
            for process in processes:
                process.kill()
                process.wait()
