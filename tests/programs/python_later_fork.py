"""The child of fork number N of one place waits for a lock that a thread has taken since the first.
In the parent the thread leaves the lock at once.

usage: python_later_fork.py N
"""
import os
import sys
import threading

lock = threading.Lock()
go, held, leave, left = (threading.Event() for _ in range(4))


def hold_early():
    go.wait()


def hold_late():
    with lock:
        held.set()
        leave.wait()


def hold_no_more():
    left.set()
    threading.Event().wait()


def holder():
    hold_early()
    hold_late()
    hold_no_more()


def fork_once(last):
    child = os.fork()
    if child == 0:
        if last:
            lock.acquire()
        os._exit(0)
    if last:
        leave.set()
        left.wait()
    os.waitpid(child, 0)


threading.Thread(target=holder, name="the holder", daemon=True).start()
forks = int(sys.argv[1])
for number in range(1, forks + 1):
    if number == forks:
        go.set()
        held.wait()
    fork_once(number == forks)
os._exit(0)
