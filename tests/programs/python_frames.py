"""Threads in every kind of Python code, and faulthandler's word for where they are at a fork.

truth: the threads are where the file named by the first argument says, which faulthandler writes
in the line of the fork; the second one gets a line "IDENT TID NAME" for each thread. Nothing runs
in between: the interpreter is not to switch threads, and all of them wait.
"""

import asyncio
import contextlib
import ctypes
import faulthandler
import functools
import os
import queue
import select
import sys
import threading
import time

never, forever = os.pipe()
started = queue.SimpleQueue()
threads = {}


def block():
    started.put((threading.get_ident(), threading.get_native_id()))
    os.read(never, 1)


def scenario(function):
    @functools.wraps(function)
    def wrapper():
        function()
    threads[function.__name__] = wrapper
    return wrapper


@scenario
def nested():
    def outer():
        def inner():
            block()
        inner()
    outer()


@scenario
def generator():
    def innermost():
        yield 1
        block()

    def delegating():
        yield from innermost()

    for _ in delegating():
        pass


@scenario
def generator_by_next():
    iterator = (block() for _ in range(2))
    next(iterator)


@scenario
def coroutine():
    async def inner():
        await asyncio.sleep(0)
        block()

    async def outer():
        await asyncio.gather(inner(), asyncio.sleep(0))

    asyncio.run(outer())


@scenario
def async_generator():
    async def numbers():
        yield 1
        block()

    async def outer():
        async for _ in numbers():
            pass
        return [n async for n in numbers()]

    asyncio.run(outer())


@scenario
def comprehensions():
    [{k: [block()
          for _ in range(1)] for k in range(1)}
     for _ in range(1)]


@scenario
def class_body():
    class Outer:
        class Inner:
            block()


@scenario
def init():
    class Base:
        def __init__(self):
            block()

    class Derived(Base):
        def __init__(self):
            super().__init__()

    Derived()


@scenario
def attribute():
    class Lazy:
        @property
        def value(self):
            return block()

        def __getattr__(self, name):
            return self.value

    Lazy().missing


@scenario
def several_lines():
    value = [
        1,
        (2,
         3),
        block(

        ),
    ]
    return value


@scenario
def handlers():
    try:
        try:
            raise KeyError
        except KeyError:
            raise ValueError
        finally:
            with contextlib.suppress(ValueError):
                block()
    except ValueError:
        pass


@scenario
def context_manager():
    @contextlib.contextmanager
    def manager():
        try:
            yield
        finally:
            block()

    with manager():
        pass


@scenario
def compiled():
    exec(compile("\n\ndef f():\n  g()\ndef g(): block()\nf()", "<made up>", "exec"), globals())


@scenario
def far_down():
    source = "\n" * 70000 + "(lambda:\n\n" + "block())()"
    exec(compile(source, "far/down.py", "exec"), globals())


@scenario
def latin1_name():
    exec(compile("def été():\n  block()\nété()", "/tmp/caf\xe9.py", "exec"), globals())


@scenario
def chinese_name():
    exec(compile("def 函数():\n  block()\n函数()", "/tmp/\u4e2d\u6587.py", "exec"), globals())


@scenario
def snake_name():
    exec(compile("block()", "/tmp/\U0001f40d.py", "exec"), globals())


@scenario
def long_name():
    exec(compile("block()", "/" + "long/" * 60 + "x.py", "exec"), globals())


@scenario
def recursion():
    def down(n):
        if n:
            down(n - 1)
        else:
            block()
    down(1000)


@scenario
def by_reduce():
    functools.reduce(lambda a, b: block(), [1, 2])


@scenario
def by_sorted():
    sorted([1, 2], key=lambda x: block())


@scenario
def by_map():
    list(map(lambda x: [*filter(lambda y: block(), [1])], [1]))


@scenario
def by_partial():
    functools.partial(block)()


@scenario
def by_ctypes():
    compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)

    @compare
    def callback(a, b):
        block()
        return 0

    ctypes.CDLL(None).qsort((ctypes.c_int * 2)(1, 2), 2, 4, callback)


@scenario
def traced():
    sys.settrace(lambda frame, event, argument: sys._getframe().f_back and None)

    def inner():
        x = 1
        block()
        return x

    def tracer(frame, event, argument):
        return tracer if event == "call" or event == "line" else None

    sys.settrace(tracer)
    inner()


@scenario
def in_sleep():
    started.put((threading.get_ident(), threading.get_native_id()))
    time.sleep(100000)


@scenario
def in_select():
    started.put((threading.get_ident(), threading.get_native_id()))
    select.select([never], [], [])


@scenario
def in_lock():
    lock = threading.Lock()
    lock.acquire()
    started.put((threading.get_ident(), threading.get_native_id()))
    lock.acquire()


@scenario
def in_queue():
    started.put((threading.get_ident(), threading.get_native_id()))
    queue.Queue().get()


def start(name, function, tids):
    if name == "recursion":
        threading.stack_size(256 << 20)
    threading.Thread(target=function, name=name, daemon=True).start()
    if name == "recursion":
        threading.stack_size(0)
    ident, tid = started.get()
    print(ident, tid, name, file=tids)


def main():
    sys.setswitchinterval(1000)
    sys.setrecursionlimit(3000)
    with open(sys.argv[2], "w") as tids, open(sys.argv[1], "w") as out:
        print(threading.get_ident(), threading.get_native_id(), "main", file=tids)
        for name, function in threads.items():
            start(name, function, tids)
        tids.flush()
        faulthandler.dump_traceback(out, all_threads=True); child = os.fork()  # noqa: E702
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    os._exit(0)


main()
