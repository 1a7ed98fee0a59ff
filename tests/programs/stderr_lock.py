"""The deadlock that every Python user meets: the child inherits the lock of stderr.

truth: the thread "noisy" holds the lock of sys.stderr's buffer at most forks; one of the children
waits for it for ever, and the program with it.
"""

import multiprocessing
import sys
import threading


def noisy():
    while True:
        print("still working", file=sys.stderr)


def child():
    print("child is running", file=sys.stderr)


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    threading.Thread(target=noisy, name="noisy", daemon=True).start()
    for _ in range(1000):
        process = multiprocessing.Process(target=child)
        process.start()
        process.join()
        if process.exitcode != 0:
            sys.exit(f"a child ended with {process.exitcode}")
