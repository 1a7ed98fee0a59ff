"""Children that each wait for what a thread holds, or is to bring: in one form for ever, in one not.

truth: a child of form "hangs" is deadlocked, in the line that says so; one of form "ends" is not, and
exits by itself; usage: python_waits.py TIMES. Prints "PID KIND FORM" for each child.
"""

import importlib
import logging
import multiprocessing
import os
import queue
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

END_AFTER = 1.6  # longer than forkhound's --stuck-after

lock = threading.Lock()
rlock, own_rlock = threading.RLock(), threading.RLock()
empty, busy, full = queue.Queue(), queue.Queue(), queue.Queue(1)
full.put(0)
simple = queue.SimpleQueue()
condition = threading.Condition()
held_condition = threading.Condition()
semaphore = threading.Semaphore(0)
bounded = threading.BoundedSemaphore(1)
event = threading.Event()
barrier = threading.Barrier(2)
source, sink = (open(end, mode) for end, mode in zip(os.pipe(), "rw"))
fork = multiprocessing.get_context("fork")
shared_lock, shared_event, shared_queue = fork.Lock(), fork.Event(), fork.Queue()
shared_lock.acquire()


class Handler(logging.Handler):
    """The locks that logging makes are made anew in a child; that of this one is not."""

    def createLock(self):
        self.lock = threading.RLock()

    def emit(self, record):
        pass


own_handler, handler = Handler(), logging.StreamHandler(open(os.devnull, "w"))
log, own_log = logging.getLogger("log"), logging.getLogger("own")
log.addHandler(handler)
own_log.addHandler(own_handler)


def wait_for_notice():
    with condition:
        condition.wait()  # condition waits


def take_rlock():
    with rlock:  # rlock waits
        pass


def write():
    print("x" * 10000, file=sink)  # stream waits


HANGS = {
    "lock": lambda: lock.acquire(),  # lock waits
    "rlock": take_rlock,
    "get": lambda: empty.get(),  # get waits
    "put": lambda: busy.put(1),  # put waits
    "full": lambda: full.put(1),  # full waits
    "simple": lambda: simple.get(),  # simple waits
    "condition": wait_for_notice,
    "held_condition": lambda: held_condition.acquire(),  # held_condition waits
    "semaphore": lambda: semaphore.acquire(),  # semaphore waits
    "bounded": lambda: bounded.acquire(),  # bounded waits
    "event": lambda: event.wait(),  # event waits
    "barrier": lambda: barrier.wait(),  # barrier waits
    "import": lambda: importlib.import_module("slow_to_import"),  # import waits
    "stream": write,
    "own_handler": lambda: own_log.error("from the child"),  # own_handler waits
}


def notify():
    with condition:
        condition.notify()


def in_child(end, wait):
    """A thread of the child ends the wait."""
    def form():
        threading.Timer(END_AFTER, end).start()
        wait()
    return form


def hold_own_rlock():
    taken = threading.Event()

    def hold():
        with own_rlock:
            taken.set()
            time.sleep(END_AFTER)
    threading.Thread(target=hold).start()
    taken.wait()
    with own_rlock:
        pass


def take_shared_lock():
    with shared_lock:
        pass


ENDS = {
    "lock": in_child(lock.release, HANGS["lock"]),
    "rlock": hold_own_rlock,
    "get": in_child(lambda: empty.put(1), HANGS["get"]),
    "full": in_child(full.get, HANGS["full"]),
    "simple": in_child(lambda: simple.put(1), HANGS["simple"]),
    "condition": in_child(notify, wait_for_notice),
    "held_condition": lambda: held_condition.acquire(timeout=END_AFTER),
    "semaphore": in_child(semaphore.release, HANGS["semaphore"]),
    "event": in_child(event.set, HANGS["event"]),
    "barrier": in_child(barrier.wait, HANGS["barrier"]),
    "get_timeout": lambda: in_child(lambda: empty.put(1), lambda: empty.get(timeout=1000))(),
    "handler": lambda: log.error("from the child"),  # held at the fork: logging makes it anew
    "own_pool": lambda: ThreadPoolExecutor(1).submit(time.sleep, END_AFTER).result(),
    "shared_lock": take_shared_lock,
    "shared_event": lambda: shared_event.wait(),
    "shared_queue": lambda: shared_queue.get(),
    "join": lambda: holders[0].join(),  # Python knows that the thread is gone
}

holders = []


def hold(context, held):
    with context:
        held.set()
        threading.Event().wait()


def start(name, target, *arguments):
    thread = threading.Thread(target=target, args=arguments, name=name, daemon=True)
    thread.start()
    holders.append(thread)


def bring():
    """What the children miss; here it never comes."""
    threading.Event().wait()
    for end in (notify, event.set, semaphore.release, barrier.wait, full.get):
        end()


def start_threads():
    contexts = {"lock": lock, "rlock": rlock, "put": busy.mutex, "held_condition": held_condition,
                "bounded": bounded, "own_handler": own_handler.lock, "handler": handler.lock}
    for name, context in contexts.items():
        held = threading.Event()
        start(name, hold, context, held)
        held.wait()
    start("bring", bring)
    start("stream", lambda: print("x" * 1000000, file=sink))
    source.read(1)  # the thread is in write(), with the stream's lock, until the pipe is read
    with tempfile.TemporaryDirectory() as folder:
        sys.path.insert(0, folder)
        with open(f"{folder}/slow_to_import.py", "w") as module:
            module.write("import threading, __main__\n__main__.importing.set()\n"
                         "threading.Event().wait()\n")
        start("import", importlib.import_module, "slow_to_import")
        importing.wait()


importing = threading.Event()


def child(form):
    form()
    os._exit(0)


def main():
    start_threads()
    processes = []
    for _ in range(int(sys.argv[1])):
        for name, forms in (("hangs", HANGS), ("ends", ENDS)):
            for kind, form in forms.items():
                process = fork.Process(target=child, args=(form,))
                process.start()  # here it forks
                print(process.pid, kind, name, flush=True)
                processes.append((process, name))
    time.sleep(END_AFTER)
    shared_lock.release()
    shared_event.set()
    for _ in range(int(sys.argv[1])):
        shared_queue.put(1)
    for process, name in processes:
        process.join()
        if name == "ends" and process.exitcode != 0:
            os._exit(9)
    os._exit(0)


main()
