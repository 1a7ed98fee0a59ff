# Seven forks from three places: fork_once() is called by one(), by two() and by the module. From CPython 3.11
# on their native stacks are the same.
import os
import threading
import time


def fork_once():
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def one():
    fork_once()


def two():
    fork_once()


threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
for _ in range(3):
    one()
    two()
fork_once()
