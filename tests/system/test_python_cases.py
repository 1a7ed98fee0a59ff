"""What Python programs meet: locks of every kind, the pools, packages that start threads."""

import os
import re
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from harness import PROGRAMS, bare, driven, environment, execute, plain
from run import Skip
from test_python import NEWEST, OLDEST, interpreters, line_of, minor_of

WAITS = "python_waits.py"


def readable():
    return {n: p for n, p in interpreters().items() if OLDEST <= minor_of(n) <= NEWEST}


def findings(run):
    return run.named("deadlock") + run.named("suspect")


def waits(path, times):
    """Each kind of lock, in the form that hangs and in one whose wait ends, all at once."""
    def test():
        run = driven([path, PROGRAMS / WAITS, times], "--time-limit", "120")
        assert run.status == 66 and not run.named("suspect"), (run.status, run.err[-3000:])
        children = {int(pid): (kind, form) for pid, kind, form in
                    (line.split() for line in run.out.splitlines())}
        assert len(children) > 30 * times
        hanging = {pid: kind for pid, (kind, form) in children.items() if form == "hangs"}
        found = [e["pid"] for e in run.named("deadlock")]
        assert sorted(found) == sorted(hanging), (
            [kind for pid, kind in hanging.items() if pid not in found],
            [children[pid] for pid in found if pid not in hanging])
        ended = {e["pid"]: e.get("status") for e in run.named("exit")}
        assert all(ended[pid] == 0 for pid in set(children) - set(hanging)), ended
        forks = line_of(WAITS, "here it forks")
        for pid, kind in hanging.items():
            place = rf"at .*{WAITS}:{line_of(WAITS, f'{kind} waits')} in [\w<>.]+, "
            forked = rf"forked at .*{WAITS}:{forks} in main: child {pid} of"
            assert re.search(rf"^SUMMARY: forkhound: deadlock {place}{forked}|child {pid} of .* too, "
                             rf"{place}as child", run.err, re.M), (kind, run.err[-3000:])
        # One place in Python, though the interpreter runs a line otherwise when it has seen it.
        assert run.err.count("forkhound: HAZARD") == 1, summaries(run, "hazard")
        assert run.err.count("SUMMARY: forkhound: deadlock") <= 2 * len(set(hanging.values()))
    return test


@contextmanager
def program(text, **modules):
    """The path of main.py in a folder of its own, beside the other modules; and its lines' numbers."""
    with tempfile.TemporaryDirectory() as folder:
        for name, code in {"main": text, **modules}.items():
            (Path(folder) / f"{name}.py").write_text(code)
        yield Path(folder) / "main.py"


def number(text, comment):
    return 1 + next(i for i, line in enumerate(text.splitlines()) if line.endswith(f"# {comment}"))


def summaries(run, level):
    return re.findall(rf"^SUMMARY: forkhound: ({level} at .*)$", run.err, re.M)


def functions(thread):
    return [f["function"].split(".")[-1] for f in thread["python"]]


EXECUTORS = """
from concurrent.futures import ProcessPoolExecutor
import multiprocessing
if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(2, context) as first:
        print(first.submit(abs, -1).result())
        with ProcessPoolExecutor(2, context) as second:
            print(second.submit(abs, -2).result())  # forks
"""


def second_executor(path):
    """The first one's thread that manages it is alive when the second one forks its workers."""
    def test():
        with program(EXECUTORS) as main:
            run = driven([path, main], "--time-limit", "60")
        assert run.out == "1\n2\n" and run.status == 0 and not findings(run), (run.out, run.err)
        assert run.named("fork"), run.err
        place = rf"multiprocessing/popen_fork.py:\d+ in .*, called from .*main.py:{number(EXECUTORS, 'forks')} in"
        assert all(re.search(place, s) for s in summaries(run, "hazard")), run.err
        assert run.err.count("concurrent/futures/process.py") >= 1, run.err
    return test


BROKEN = """
from concurrent.futures import ProcessPoolExecutor
import multiprocessing, os, threading
lock = threading.Lock()
held = threading.Event()
def hold():
    with lock:
        held.set()
        threading.Event().wait()
def work(number):
    with lock:  # hangs
        return number
if __name__ == "__main__":
    threading.Thread(target=hold, daemon=True).start()
    held.wait()
    with ProcessPoolExecutor(3, multiprocessing.get_context("fork")) as executor:
        error = next(iter([executor.submit(work, n) for n in range(3)])).exception()
    print(type(error).__name__, flush=True)
    os._exit(0)
"""


def broken_executor(path):
    """It ends its other workers as soon as it sees that one has ended: they are looked at before."""
    def test():
        with program(BROKEN) as main:
            for _ in range(5):  # until a look finds more than one of them due
                run = driven([path, main], "--time-limit", "60")
                assert run.status == 66 and run.out == "BrokenProcessPool\n", (run.out, run.err)
                found = run.named("deadlock")
                if len(found) > 1:
                    break
            line = number(BROKEN, "hangs")
        assert len(found) > 1, run.err
        for finding in found:
            assert (functions(finding)[0], finding["python"][0]["line"]) == ("work", line), finding
        assert all(f"main.py:{line} in work" in s for s in summaries(run, "deadlock")), run.err
    return test


POOL = """
import multiprocessing
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2, maxtasksperchild=1) as pool:
        numbers = sorted(pool.map(abs, range(-8, 0), chunksize=1))
        pool.close()
        pool.join()
    print(numbers)  # when nothing forks: a worker would inherit the buffer, and write it too
"""


def pool(path):
    """The pool's own thread forks the workers that replace others."""
    def test():
        with program(POOL) as main:
            run = driven([path, main], "--time-limit", "60")
        assert run.status == 0 and not findings(run), run.err
        assert run.out == "[1, 2, 3, 4, 5, 6, 7, 8]\n", run.out
        first = run.first_forks[0]
        assert "_handle_workers" in functions(first) and first["python_name"].startswith("Thread-")
        assert summaries(run, "hazard"), run.err
        for line in summaries(run, "hazard"):
            assert re.search(r"called from multiprocessing/pool.py:\d+ in (Pool\.)?_handle_workers: ",
                             line), line
    return test


PREEXEC = """
import os, pwd, subprocess, sys, threading
lock = threading.Lock()
held = threading.Event()
def hold():
    with lock:
        held.set()
        threading.Event().wait()
threading.Thread(target=hold, name="holder", daemon=True).start()
held.wait()
def unsafe():
    os.environ["ADDED"] = "1"
    pwd.getpwnam("root")
def hang():
    lock.acquire()  # waits
forms = {"safe": os.setsid, "unsafe": unsafe, "hang": hang}
try:
    subprocess.run(["echo", "ran"], preexec_fn=forms[sys.argv[1]], check=True)  # forks
except subprocess.SubprocessError as error:
    print(error)
"""


def preexec(path):
    """The child execs: no report, but of what it calls before; and none but a deadlock if it hangs."""
    def test():
        with program(PREEXEC) as main:
            for form, called in (("safe", None), ("unsafe", "getpwnam_r")):
                run = driven([path, main, form])
                assert (run.status, run.out) == (0, "ran\n") and "HAZARD" not in run.err, run.err
                assert "1 multithreaded fork from 1 site: 1 exec'd" in run.err, run.err
                assert ("not async-signal-safe" in run.err) == bool(called), run.err
                (event,) = run.named("exec")
                assert not called or called in event["unsafe_calls"], event
            run = driven([path, main, "hang"], "--time-limit", "60")
        assert run.status == 66 and len(run.named("deadlock")) == 1, (run.status, run.err)
        (line,) = summaries(run, "deadlock")
        assert f"main.py:{number(PREEXEC, 'waits')} in hang, forked at subprocess.py:" in line, line
        assert f"main.py:{number(PREEXEC, 'forks')} in <module>" in line, line
    return test


STARTS = """
import threading
def poll():
    threading.Event().wait()  # polls
threading.Thread(target=poll, name="poller", daemon=True).start()
"""

FORKSERVER = """
import multiprocessing, os, sys
{start}
def work():
    server = os.getppid()
    print(server, len(os.listdir(f"/proc/{{server}}/task")), flush=True)
if __name__ == "__main__":
    context = multiprocessing.get_context("forkserver")
    if {preload}:
        context.set_forkserver_preload({preload})
    process = context.Process(target=work)
    process.start()
    process.join()
"""


def forkserver(path, text, preloaded):
    """The worker tells whether its parent, the forkserver, has threads."""
    def test():
        with program(text, starts=STARTS) as main:
            run = driven([path, main], cwd=main.parent)
        assert run.status == 0 and not findings(run), (run.status, run.err)
        server, threads = map(int, run.out.split())
        forks = [f for f in run.named("fork") if f["pid"] == server]
        assert [f["threads"] for f in forks] == ([] if threads == 1 else [threads]), (run.out, run.err)
        assert run.err.count("forkhound: HAZARD") == len(forks), run.err
        if preloaded:
            assert threads == 2, run.out
        if not forks:
            return
        assert functions(forks[0])[0] == "main" and "this is the forkserver" in run.err, run.err
        (other,) = forks[0]["others"]
        assert other["python_name"] == "poller" and "poll" in functions(other), other
        assert 'starts.py", line ' in run.err, run.err
        assert re.match(r"hazard at multiprocessing/forkserver.py:\d+ in main",
                        summaries(run, "hazard")[0]), run.err
    return test


PTH = """
import os, threading
child = os.fork()  # forks
if child == 0:
    threading.Event().wait(0.2)
    os._exit(0)
print(os.waitpid(child, 0)[1])
"""


def pth(path):
    """A thread that no line of the program starts."""
    def test():
        with tempfile.TemporaryDirectory() as folder, program(PTH) as main:
            if execute([path, "-m", "venv", "--without-pip", folder]).returncode:
                raise Skip(f"{path} has no venv")
            (packages,) = Path(folder).glob("lib/python3.*/site-packages")
            (packages / "starter.py").write_text(STARTS)
            (packages / "starter.pth").write_text("import starter\n")
            command = [Path(folder) / "bin/python", main]
            for run in (driven(command), bare(command)):
                assert (run.status, run.out) == (0, "0\n") and not findings(run), run.err
                (fork,) = run.named("fork")
                (other,) = fork["others"]
                assert other["python_name"] == "poller", other
                polls = [(f["file"], f["line"]) for f in other["python"] if f["function"] == "poll"]
                assert polls == [(str(packages / "starter.py"), number(STARTS, "polls"))], polls
                assert f"main.py:{number(PTH, 'forks')} in <module>" in run.err.split("SUMMARY")[1]
    return test


PACKAGE = """
import multiprocessing, queue
inbox = queue.Queue()
def run():
    process = multiprocessing.get_context("fork").Process(target=receive)
    process.start()  # forks
    process.join()
def receive():
    inbox.get()  # waits
"""

USES_PACKAGE = """
import package, threading
threading.Thread(target=threading.Event().wait, daemon=True).start()
package.run()  # calls
"""


def package(path):
    """SUMMARY names the library's line, the package's, and the user's."""
    def test():
        with tempfile.TemporaryDirectory() as folder, program(USES_PACKAGE) as main:
            packages = Path(folder) / "lib/python3.99/site-packages"
            packages.mkdir(parents=True)
            (packages / "package.py").write_text(PACKAGE)
            how = {"env": environment(PYTHONPATH=str(packages))}
            run = driven([path, main], "--time-limit", "60", **how)
        assert run.status == 66, (run.status, run.err)
        (line,) = summaries(run, "deadlock")
        calls = rf"called from \S*main.py:{number(USES_PACKAGE, 'calls')} in <module>"
        assert re.search(rf"^deadlock at threading.py:\d+ in (Condition\.)?wait, called from package.py:"
                         rf"{number(PACKAGE, 'waits')} in receive, {calls}, forked at multiprocessing/"
                         rf"popen_fork.py:\d+ in (Popen\.)?_launch, called from package.py:"
                         rf"{number(PACKAGE, 'forks')} in run, {calls}: ", line), line
    return test


PACKAGE_THREAD = """
import multiprocessing, threading
def start():
    thread = threading.Thread(target=supervise)
    thread.start()
    return thread
def supervise():
    repopulate()  # supervises
def repopulate():
    process = multiprocessing.get_context("fork").Process(target=int)
    process.start()  # forks
    process.join()
"""


def package_thread(path):
    """Of a package's own thread SUMMARY names where it forks, and what it is."""
    def test():
        with tempfile.TemporaryDirectory() as folder, program("import package; package.start().join()") as main:
            packages = Path(folder) / "lib/python3.99/site-packages"
            packages.mkdir(parents=True)
            (packages / "package.py").write_text(PACKAGE_THREAD)
            how = {"env": environment(PYTHONPATH=str(packages))}
            run = driven([path, main], "--time-limit", "60", **how)
        assert run.status == 0, (run.status, run.err)
        (line,) = summaries(run, "hazard")
        assert re.search(rf"^hazard at multiprocessing/popen_fork.py:\d+ in (Popen\.)?_launch, called from "
                         rf"package.py:{number(PACKAGE_THREAD, 'forks')} in repopulate, called from "
                         rf"package.py:{number(PACKAGE_THREAD, 'supervises')} in supervise: child ", line), line
    return test


SERVES = """
import threading
begun = threading.Barrier(4)
def run():
    for _ in range(2):
        threading.Thread(target=serve, daemon=True).start()
def serve():
    begun.wait()
    threading.Event().wait()
"""

THREADS_OF_THREE = """
import os, package, threading, time
package.run()
threading.Thread(target=lambda: (package.begun.wait(), threading.Event().wait()), daemon=True).start()
threading.Thread(target=threading.Event().wait, daemon=True).start()
package.begun.wait()
child = os.fork()
if child == 0:
    time.sleep(0.3)  # long enough to be a hazard
    os._exit(0)
os.waitpid(child, 0)
os._exit(0)
"""


def whose_threads(path):
    """The threads are counted by whose code they began in: of a package, of the program, of nobody."""
    def test():
        with tempfile.TemporaryDirectory() as folder, program(THREADS_OF_THREE) as main:
            packages = Path(folder) / "lib/python3.99/site-packages"
            packages.mkdir(parents=True)
            (packages / "package.py").write_text(SERVES)
            how = {"env": environment(PYTHONPATH=str(packages))}
            run = driven([path, main], "--time-limit", "60", **how)
        assert run.status == 0, (run.status, run.err)
        (line,) = summaries(run, "hazard")
        assert re.search(r"\(4 \S*python\S* \(2 package, 1 main.py\)\)$", line), line
    return test


LEAKS = """
import threading
def test_that_leaves_a_thread():
    threading.Thread(target=threading.Event().wait, name="left", daemon=True).start()
"""

FORKING = """
import multiprocessing, time
def run_child():
    process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(0.2,))
    process.start()  # forks
    process.join()
def test_first():
    run_child()
def test_second():
    run_child()
"""


def test_pytest_over_a_directory():
    """Each fork has its test; the one that is reported names it, not the one that left the thread."""
    (python, *_) = with_package("pytest")
    with program(LEAKS, test_a=LEAKS, test_b=FORKING) as main:
        run = driven([python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "."],
                     cwd=main.parent)
    assert run.status == 0 and not findings(run), (run.status, run.err, run.out)
    assert [f["test"] for f in run.named("fork")] == [
        "test_b.py::test_first (call)", "test_b.py::test_second (call)"], run.named("fork")
    assert run.err.count("Running test: test_b.py::test_first (call)\n") == 1, run.err
    (line,) = summaries(run, "hazard")
    assert f"test_b.py:{number(FORKING, 'forks')} in run_child: child" in line, line
    assert [o["python_name"] for o in run.first_forks[0]["others"]] == ["left"]


# Packages that start threads. Each program ends its own child by SIGALRM if that hangs.

FORKS = """
import multiprocessing, os, signal, sys, threading
def child(function):
    signal.alarm(5)
    function()
def fork(function):
    process = multiprocessing.get_context("fork").Process(target=child, args=(function,))
    process.start()  # forks
    process.join()
    print("child", process.exitcode, flush=True)
"""

GRPC = """
from concurrent.futures import ThreadPoolExecutor
import grpc, sys
from forks import fork
def serve():
    server = grpc.server(ThreadPoolExecutor(2))
    echo = grpc.unary_unary_rpc_method_handler(lambda request, context: request)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("s", {"echo": echo}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port
def work():
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        print(channel.unary_unary("/s/echo")(b"hi", timeout=60), flush=True)
server, port = serve()
work()
fork({"none": int, "use": work}[sys.argv[1]])  # calls
server.stop(0)
"""

DUCKDB = """
import duckdb, sys
from forks import fork
def sum_of(connection):
    print(connection.execute("select sum(i) from range(10000000) t(i)").fetchone(), flush=True)
def work():
    sum_of(duckdb.connect(config={"threads": 4}))
connection = duckdb.connect(config={"threads": 4})
sum_of(connection)
fork({"none": int, "use": work, "same": lambda: sum_of(connection)}[sys.argv[1]])  # calls
"""

POLARS = """
import polars, sys
from forks import fork
def work():
    frame = polars.DataFrame({"a": range(1000000)}).with_columns((polars.col("a") % 100).alias("b"))
    print(frame.group_by("b").agg(polars.col("a").sum())["a"].sum(), flush=True)
work()
fork({"none": int, "use": work}[sys.argv[1]])  # calls
"""

NUMPY = """
import numpy, sys
from forks import fork
a = numpy.ones((500, 500))
def work():
    print(int((a @ a).sum()), flush=True)
work()
fork({"none": int, "use": work}[sys.argv[1]])  # calls
"""

# Each with the module whose threads are alive at the fork; NumPy's OpenBLAS ends its own before.
PACKAGES = {"grpc": (GRPC, "cygrpc"), "duckdb": (DUCKDB, "_duckdb"), "polars": (POLARS, "_polars"),
            "numpy": (NUMPY, None)}


def with_package(name):
    """Every interpreter that has it, that of an activated virtual environment too."""
    paths = {*readable().values(), *filter(None, [shutil.which("python3")])}
    found = [p for p in sorted(map(str, paths)) if execute([p, "-c", f"import {name}"]).returncode == 0]
    if not found:
        raise Skip(f"no interpreter has the package {name}")
    return found


# Children that get nowhere without waiting for a lock: gRPC 1.51's waits, 200 ms at a time, for its
# turn to poll, or polls. Package, beginning of its version, form.
POLLS = {("grpc", "1.51.", "use")}


def polls(python, main, form):
    """Not a deadlock: a suspect, unless it polls for data, which might come."""
    run = driven([python, main, form], "--time-limit", "60", "--stuck-after", "0.3", "--on-suspect",
                 "kill")
    ended = re.search(r"^child (\S+)$", run.out, re.M).group(1)
    kinds = [e["what"] for e in findings(run)]
    assert (ended, kinds) in (("-9", ["repeats"]), ("-14", []), ("0", [])), (run.out, run.err[-3000:])
    return {"-9": "waits for ever, again and again", "-14": "polls for ever", "0": "works"}[ended]


def package_and_fork(python, main, form, module, name):
    """A child that hangs is proven to; one that the alarm has to end was missed."""
    version = execute([python, "-c", f"import {name}; print({name}.__version__)"]).stdout.strip()
    if any((name, form) == (n, f) and version.startswith(v) for n, v, f in POLLS):
        print(f"{name} {version}, {form}: the child {polls(python, main, form)}", flush=True)
        return
    env = environment(OPENBLAS_NUM_THREADS="4")
    without = plain([python, main, form], env=env)
    run = driven([python, main, form], "--time-limit", "60", env=env)
    ended, ended_without = (re.search(r"^child (0|-9|-14)$", r.out, re.M).group(1)
                            for r in (run, without))
    # DuckDB's child hangs sometimes when it uses the connection of the parent.
    what = {"0": "works", "-9": "deadlocks", "-14": "is ended by its alarm"}[ended]
    print(f"{name} {version}, {form}: the child {what}", flush=True)
    assert form == "same" or (ended == "-9") == (ended_without == "-14"), (run.out, without.out)
    assert not run.named("suspect"), run.err[-3000:]
    if ended == "-9":
        assert run.status == 66 and len(run.named("deadlock")) == 1, (run.status, run.err[-3000:])
        (line,) = summaries(run, "deadlock")
        assert re.search(r"main.py:\d+ in (work|sum_of)(, called from .*)?, forked at", line), line
    else:
        assert ended == "0" and run.status == 0 and not findings(run), (ended, run.err[-3000:])
        assert ended_without != "0" or run.out == without.out, (run.out, without.out)
    (fork,) = [f for f in run.named("fork") if f["entry"] == "fork"]
    groups = {Path(o["group"]).name.split(".")[0] for o in fork["others"]}
    if not module:
        assert not fork["others"] and fork["threads"] == 1, fork
        return
    # gRPC's own handlers end its threads, or do not where one of them is busy.
    assert module in "".join(groups) or fork.get("gone"), groups
    for line in summaries(run, "hazard"):
        assert f"forks.py:{number(FORKS, 'forks')} in fork: " in line, line


def package_test(name):
    def test():
        text, module = PACKAGES[name]
        for python in with_package(name):
            with program(text, forks=FORKS) as main:
                for form in ("none", "use", *(["same"] if name == "duckdb" else [])):
                    package_and_fork(python, main, form, module, name)
    return test


def generated():
    tests = {f"test_package_from_pypi_{name}": package_test(name) for name in PACKAGES}
    for name, path in readable().items():
        tests[f"test_waits_{name}"] = waits(path, 1)
        tests[f"test_second_executor_{name}"] = second_executor(path)
        tests[f"test_broken_executor_{name}"] = broken_executor(path)
        tests[f"test_pool_{name}"] = pool(path)
        tests[f"test_preexec_fn_{name}"] = preexec(path)
        tests[f"test_forkserver_preload_{name}"] = forkserver(
            path, FORKSERVER.format(start="", preload=["starts"]), True)
        tests[f"test_forkserver_main_{name}"] = forkserver(
            path, FORKSERVER.format(start="import starts", preload=[]), False)
        tests[f"test_pth_{name}"] = pth(path)
        tests[f"test_package_{name}"] = package(path)
        tests[f"test_package_thread_{name}"] = package_thread(path)
        tests[f"test_whose_threads_{name}"] = whose_threads(path)
        if "--full" in sys.argv:
            tests[f"test_twenty_waits_{name}"] = waits(path, 20)
    return tests
