"""Forks by C code that has released the GIL, while Python threads call and return without a pause.

truth: every Python frame told is of a function of this program or of Python's library; nothing
crashes. Each fork comes from another depth of the native stack, and is a place of its own. The
argument is fork_and_wait.c as a library.
"""

import ctypes
import os
import sys
import threading

forker = ctypes.CDLL(sys.argv[1])  # ctypes releases the GIL
PLACES = 12


def recurse(n):
    return recurse(n - 1) if n else [sum((i, n)) for i in range(3)]


def generate(n):
    if n:
        yield from generate(n - 1)
    yield n


def make(n):
    namespace = {}
    exec(f"def made_{n % 7}(x):\n{chr(10) * (n % 5)}  return x and made_{n % 7}(x - 1)", namespace)
    return namespace[f"made_{n % 7}"](n % 30)


def busy():
    n = 0
    while True:
        n += 1
        recurse(n % 40)
        list(generate(n % 20))
        make(n)


def fork_deep(n):
    if n:
        return sorted([n], key=lambda x: fork_deep(n - 1))
    forker.fork_and_wait()
    return []


def main():
    sys.setswitchinterval(1e-5)
    for _ in range(8):
        threading.Thread(target=busy, daemon=True).start()
    for n in range(PLACES):
        fork_deep(n)
    os._exit(0)


main()
