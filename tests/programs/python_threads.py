"""A Python process with a thread that is not Python's, and one that waits in a function.

truth: thread "waiting" is in idle(); one more was made by C code and is "not a Python thread". With
the argument "fork" the main thread forks; else it prints "ready" and waits.
"""

import ctypes
import os
import sys
import threading

ready = threading.Event()


def idle():
    ready.set()
    threading.Event().wait()  # here it waits


def main():
    sys.setswitchinterval(1000)  # this thread runs on when the other waits
    libc = ctypes.CDLL(None)
    thread = ctypes.c_ulong()
    assert libc.pthread_create(ctypes.byref(thread), None, libc.pause, None) == 0
    threading.Thread(target=idle, name="waiting", daemon=True).start()
    ready.wait()
    if sys.argv[1:] == ["fork"]:
        child = os.fork()  # here it forks
        if child == 0:
            threading.Event().wait(0.3)
            os._exit(0)
        os.waitpid(child, 0)
    else:
        print("ready", flush=True)
        sys.stdin.read()
    os._exit(0)


main()
