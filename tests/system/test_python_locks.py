"""Waits for a lock of CPython's beside a thread of the child, and with handlers in Python."""

import re
import signal

from harness import (PROGRAMS, build_library, driven, driven_until_found, environment,
                     side_by_side)
from test_python_cases import findings, program, readable, summaries
from test_python import line_of

BESIDE = "python_beside.py"
# Each case to what is found.
CASES = {"rlock": "deadlock", "lock": "deadlock", "own_rlock": "deadlock", "ctypes": "suspect",
         "own_lock": "suspect", "held": None, "queue": None, "simple_queue": None, "join": None}


def beside(path, case, expected):
    """A thread that is none of Python's runs in each child."""
    def test():
        env = environment(LD_PRELOAD=str(build_library("thread_in_child")))
        run = driven_until_found([path, "-E", PROGRAMS / BESIDE, case], "--stuck-after", "0.2",
                                 env=env)
        assert [e["event"] for e in findings(run)] == ([expected] if expected else []), run.err[-3000:]
        if not expected:
            assert run.status == 0, (run.status, run.err[-3000:])
            return
        (finding,) = findings(run)
        assert finding["lock"]["kind"] == ("threading.RLock" if "rlock" in case else "lock of CPython")
        assert finding["python"][0]["file"].endswith(BESIDE), finding["python"]
        assert (run.status == 66) == (expected == "deadlock"), run.status
        proof = " ".join(finding["proof"])
        assert "other task" in proof or "other does not" in proof or "others do not" in proof, proof
        assert ("refuses to be released" in proof) == ("rlock" in case), proof
        assert ("the waiting one is the only one" in proof) == (case == "lock"), proof
    return test


def all_cases(path):
    def test():
        build_library("thread_in_child")
        side_by_side({case: beside(path, case, expected) for case, expected in CASES.items()}, 5)
    return test


HANDLERS = """
import ctypes, os, signal, sys, threading, time
what, timer = sys.argv[1], "timer" in sys.argv
library = ctypes.CDLL(None)
lock, mutex, ready = threading.RLock(), ctypes.create_string_buffer(64), threading.Event()
plain = threading.Lock()
def hold():
    lock.acquire()
    plain.acquire()
    library.pthread_mutex_lock(mutex)
    ready.set()
    time.sleep(1000)
class Woken(Exception):
    pass
def handle(number, frame):
    if number in (signal.SIGUSR1, signal.SIGALRM):
        raise Woken
threading.Thread(target=hold, daemon=True).start()
ready.wait()
child = os.fork()
if child == 0:
    for name in "ABRT HUP QUIT INT TERM USR1 USR2 WINCH CHLD ALRM PROF".split():
        signal.signal(getattr(signal, "SIG" + name), handle)
    if timer:
        signal.setitimer(signal.ITIMER_REAL, 1000)
    try:
        if what == "mutex":
            library.pthread_mutex_lock(mutex)
        elif what == "event":
            threading.Event().wait()
        elif what == "lock":
            plain.acquire()
        else:
            lock.acquire()
    except Woken:
        os._exit(0)
    os._exit(1)
os._exit(1 if os.waitpid(child, 0)[1] else 0)
"""
# What waits, and whether a timer runs, to what is found.
HANDLED = {"mutex": "deadlock", "mutex timer": "deadlock", "rlock": "deadlock", "lock": "deadlock",
           "rlock timer": "suspect", "event": "suspect"}


def handled(path, main, words, expected):
    """Of a suspect the handler, run by Python, does end the wait."""
    def test():
        run = driven_until_found([path, "-E", main, *words.split()], "--stuck-after", "0.3",
                                 sent=signal.SIGUSR1)
        assert [e["event"] for e in findings(run)] == [expected], run.err[-3000:]
        assert run.status == (66 if expected == "deadlock" else 0), (run.status, run.err[-3000:])
        (finding,) = findings(run)
        (said,) = [s for s in finding["proof"] if s.startswith("the handler of ")] or [""]
        assert ("SIGUSR1, SIGUSR2" in said) == (words != "event"), finding["proof"]
        assert ("by an exception" in said) == ("lock" in words), finding["proof"]
    return test


def all_handled(path):
    def test():
        with program(HANDLERS) as main:
            side_by_side({words: handled(path, main, words, expected)
                          for words, expected in HANDLED.items()}, 6)
    return test


def generated():
    tests = {}
    for name, path in readable().items():
        tests[f"test_beside_{name}"] = all_cases(path)
        tests[f"test_handlers_{name}"] = all_handled(path)
    return tests


def test_time_limit():
    """The last line has each child that waits in a lock then; its stack stands above."""
    path = next(iter(readable().values()))
    env = environment(LD_PRELOAD=str(build_library("thread_in_child")))
    run = driven([path, "-E", PROGRAMS / BESIDE, "own_lock"], "--time-limit", "2", "--stuck-after",
                 "60", env=env)
    (fork,) = run.named("fork")
    (waiting,) = run.named("waiting")
    place = rf"at \S*{BESIDE}:{line_of(BESIDE, 'waits')} in wait"
    assert waiting["pid"] == fork["child"] and waiting["python"], waiting
    assert re.search(rf"; at the time limit still waiting: child {fork['child']} in semaphore {place}$",
                     run.err.splitlines()[-1]), run.err[-2000:]
    assert run.err.count(f"child {fork['child']} (") == 1 and "PyThread_acquire_lock" in run.err
    assert run.status == 124 and not summaries(run, "suspect"), (run.status, run.err[-2000:])
