# truth: the child waits for what the case names, beside another thread (test_python_locks.py)
import os
import queue
import sys
import threading
import time

case = sys.argv[1]
LONG = 2.5
lock, rlock, feeds, simple = threading.Lock(), threading.RLock(), queue.Queue(), queue.SimpleQueue()
ready = threading.Event()
if case == "ctypes":
    import ctypes  # noqa: F401  what could give a thread a state of Python's


def hold():
    with rlock:
        if case != "held":
            lock.acquire()
        ready.set()
        time.sleep(1000)


def hold_in_child():
    with lock:
        ready.set()
        time.sleep(LONG)


def feed():
    time.sleep(LONG)
    feeds.put(1)
    simple.put(1)


def start(function):
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    return thread


def wait():
    if case in ("lock", "ctypes", "own_lock"):
        if case == "own_lock":
            start(lambda: time.sleep(1000))
        with lock:  # waits
            pass
    elif case in ("rlock", "own_rlock"):
        if case == "own_rlock":
            start(lambda: time.sleep(1000))
        with rlock:  # waits
            pass
    elif case == "held":
        ready.clear()
        start(hold_in_child)
        ready.wait()
        with lock:
            pass
    elif case == "queue":
        start(feed)
        feeds.get()
    elif case == "simple_queue":
        start(feed)
        simple.get()
    elif case == "join":
        start(feed).join()


start(hold)
ready.wait()
child = os.fork()
if child == 0:
    wait()
    os._exit(0)
os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if sys.version_info >= (3, 9)
         else os.waitpid(child, 0)[1] and 1)
