"""A child that waits for what only a thread of its parent could do.

truth: the child is deadlocked, in the line of take() that says so; usage: python_lock.py
lock|queue|future.
"""

import concurrent.futures
import multiprocessing
import queue
import sys
import threading

held = threading.Event()
lock = threading.Lock()
box = queue.Queue()
pool = concurrent.futures.ThreadPoolExecutor(1)


def hold(context):
    with context:
        held.set()
        threading.Event().wait()


def take(kind):
    if kind == "lock":
        lock.acquire()  # lock waits
    elif kind == "queue":
        box.get()  # queue waits
    else:
        pool.submit(print).result()  # future waits


if __name__ == "__main__":
    kind = sys.argv[1]
    if kind == "future":
        pool.submit(held.set)
    else:
        context = box.mutex if kind == "queue" else lock
        threading.Thread(target=hold, args=(context,), name="holder", daemon=True).start()
    held.wait()
    process = multiprocessing.get_context("fork").Process(target=take, args=(kind,))
    process.start()
    process.join()
