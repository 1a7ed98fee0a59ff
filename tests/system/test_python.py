"""Python frames, over every CPython that is found: the same as faulthandler's."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from harness import BUILD, COMMAND, PROGRAMS, TOP, bare, build_program, driven, execute
from run import Skip

OLDEST, NEWEST = 8, 15  # minor versions whose frames are read


def interpreters():
    """Name and path of each CPython 3: pyenv's, and the system's."""
    found = {}
    paths = [*sorted(Path.home().glob(".pyenv/versions/3.*/bin/python3")),
             *sorted(p for p in Path("/usr/bin").glob("python3.*") if re.search(r"\.\d+$", p.name))]
    for path in paths:
        text = execute([path, "-c", "import sys; print(*sys.version_info[:3], sep='.', end=sys.abiflags)"]).stdout
        name = text.strip() + ("_system" if path.parts[1] == "usr" else "")
        if text:
            found[name] = path
    return found


def minor_of(name):
    return int(name.split(".")[1])


def expected(text, tids):
    """faulthandler's dump: by tid, a list of (file, line, function), of 100 at most."""
    stacks = {}
    for block in re.split(r"^(?:Current t|T)hread 0x", text, flags=re.M)[1:]:
        ident = int(block.split()[0].rstrip(":"), 16)
        frames = re.findall(r'^  File "(.*)", line (\d+|\?\?\?) in (.*)$', block, re.M)
        # The frame that calls an __init__ for the evaluation function is no code of anybody's.
        frames = [f for f in frames if f != ("__init__", "???", "__init__")]
        stacks[tids[ident]] = frames
    return stacks


def as_faulthandler(frame):
    def ascii_only(text):
        text = text.encode("ascii", "backslashreplace").decode()
        return text[:500] + "..." if len(text) > 500 else text
    return (ascii_only(frame["file"]), str(frame.get("line", "???")),
            ascii_only(frame["function"].split(".")[-1]))


def frames_of(run):
    (first,) = run.first_forks
    stacks = {first["tid"]: first}
    stacks.update({o["tid"]: o for o in first["others"]})
    return first, stacks


def same_as_faulthandler(name, path):
    def test():
        with tempfile.TemporaryDirectory() as folder:
            dump, tids = Path(folder) / "dump", Path(folder) / "tids"
            env = dict(os.environ, FORKHOUND_OPTIONS="max_frames=100")
            run = driven([path, PROGRAMS / "python_frames.py", dump, tids], env=env)
            assert run.status == 0, (run.status, run.err[-3000:])
            named = [line.split() for line in tids.read_text().splitlines()]
            names = {int(tid): name for _, tid, name in named}
            theirs = expected(dump.read_text(), {int(i): int(tid) for i, tid, _ in named})
        first, ours = frames_of(run)
        assert first["python_version"] == f"3.{minor_of(name)}" and "notes" not in first, first
        assert len(theirs) == len(names) > 25, len(theirs)
        for tid, frames in theirs.items():
            cut = len(frames) == 100
            mine = [as_faulthandler(f) for f in ours[tid]["python"]]
            theirs_now = [(f, l, n.split(".")[-1]) for f, l, n in frames]
            assert mine[:len(theirs_now)] == theirs_now, (names[tid], mine, theirs_now)
            assert len(mine) == len(theirs_now) or cut, (names[tid], mine, theirs_now)
            assert bool(ours[tid].get("python_cut")) == cut, names[tid]
            # The name is found in the outermost frame.
            known = None if cut or tid == first["tid"] else names[tid]
            assert ours[tid].get("python_name") == known, (names[tid], ours[tid])
        deep = ours[next(t for t, n in names.items() if n == "recursion")]
        assert deep["python_cut"] and len(deep["python"]) == 100
        # All of these threads' frames are told to belong to the native ones that run them.
        assert "not matched" not in run.err, run.err
    return test


def offsets(name, path):
    def test():
        include = execute([path, "-c", "import sysconfig; print(sysconfig.get_path('include'))"])
        headers = Path(include.stdout.strip())
        if not (headers / "internal").is_dir():
            raise Skip(f"{headers}/internal: not installed")
        target = BUILD / "programs" / f"python_offsets-{name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        # In C++ style some of CPython's headers are not clean: no warnings.
        subprocess.run(["gcc", "-w", f"-I{headers}", f"-I{headers}/internal", f"-I{TOP}", f"-I{TOP}/common/arch/x86_64",
                        "-o", target, TOP / "tests/unit/python_offsets.c",
                        TOP / "common/cpython/layout.c", TOP / "common/cpython/published_layout.c"], check=True)
        run = execute([target])
        assert run.returncode == 0, run.stderr
        assert len(run.stdout.splitlines()) > 25, run.stdout
    return test


def declined(path):
    def test():
        run = driven([path, "-c", FORK_WITH_A_THREAD])
        assert run.status == 0, run.err
        first, _ = frames_of(run)
        assert "python" not in first and "python_version" not in first
        assert "3.8 and later" in first["notes"][0] and "Note: " in run.err, first
    return test


FORK_WITH_A_THREAD = """
import os, threading, time
threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
child = os.fork()
if child == 0:
    time.sleep(0.3)  # long enough to be a hazard
    os._exit(0)
os.waitpid(child, 0)
os._exit(0)
"""


def deadlock(kind, path):
    def test():
        run = driven([path, PROGRAMS / "python_lock.py", kind])
        assert run.status == 66, (run.status, run.err[-3000:])
        (finding,) = run.named("deadlock")
        waits = [f for f in finding["python"] if f["function"] == "take"]
        source = (PROGRAMS / "python_lock.py").read_text().splitlines()
        assert len(waits) == 1, finding["python"]
        assert f"# {kind} waits" in source[waits[0]["line"] - 1], waits
        (summary,) = re.findall("^SUMMARY: forkhound: deadlock.*$", run.err, re.M)
        assert f"python_lock.py:{waits[0]['line']} in take" in summary, summary
        forked = re.search(r"forked at .*python_lock.py:(\d+) in <module>", summary)
        assert "process.start()" in source[int(forked.group(1)) - 1], summary
        assert 'python_lock.py", line ' in run.err and "not matched" not in run.err, run.err
    return test


def line_of(program, comment):
    lines = (PROGRAMS / program).read_text().splitlines()
    return 1 + next(i for i, line in enumerate(lines) if line.endswith(f"# {comment}"))


def threads_of_others(path):
    """In the command's report, in that of the library alone, and in that of diagnose."""
    def test():
        program = PROGRAMS / "python_threads.py"
        for run in (driven([path, program, "fork"]), bare([path, program, "fork"])):
            assert run.status == 0, (run.status, run.err)
            first, threads = frames_of(run)
            here = line_of("python_threads.py", "here it forks")
            assert [(f["line"], f["function"]) for f in first["python"]][0] == (here, "main")
            native = [o for o in first["others"] if "python" not in o]
            assert len(native) == 1 and len(first["others"]) == 2, first["others"]
            (python,) = [o for o in first["others"] if "python" in o]
            waiting = line_of("python_threads.py", "here it waits")
            assert [f["line"] for f in python["python"] if f["function"] == "idle"] == [waiting]
            assert run.err.count("not a Python thread") == 1, run.err
            assert python["python_name"] == "waiting" and ' "waiting" (' in run.err, run.err
            assert f'python_threads.py", line {waiting}, in idle\n' in run.err, run.err
            assert f"python_threads.py:{here} in main" in run.err.split("SUMMARY")[1], run.err
            assert "not matched" not in run.err, run.err
        with subprocess.Popen([path, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as process:
            process.stdout.readline()
            told = execute([COMMAND, "diagnose", "--stuck-after", "0.1", process.pid]).stdout
            process.stdin.close()
        assert told.count("(not a Python thread)") == 1, told
        assert "called from " in told and f"python_threads.py:{waiting} in idle" in told, told
    return test


def diagnose(path):
    def test():
        with subprocess.Popen([path, PROGRAMS / "python_lock.py", "lock"]) as process:
            for _ in range(50):  # the program may not have forked yet
                run = execute([COMMAND, "diagnose", "--json", process.pid])
                if run.returncode:
                    break
            finding = json.loads(run.stdout.splitlines()[0])
            text = execute([COMMAND, "diagnose", process.pid]).stdout
            os.kill(finding["pid"], signal.SIGKILL)
            process.wait()
        waits = line_of("python_lock.py", "lock waits")
        assert finding["python"][0]["function"] == "take", finding
        assert finding["python"][0]["line"] == waits, finding
        assert "SUMMARY: forkhound: deadlock at " in text
        assert f"python_lock.py:{waits} in take" in text.split("SUMMARY")[1], text
    return test


def busy(path):
    """Where the GIL does not hold them, what is told is still of the program."""
    def test():
        own = {"recurse", "generate", "make", "busy", "fork_deep", "main", "<module>", "<lambda>",
               "<listcomp>", "<genexpr>"} | {f"made_{i}" for i in range(7)}
        library = build_program("fork_and_wait", "-shared", "-fPIC")
        run = driven([path, PROGRAMS / "python_busy.py", library], limit=30)
        assert run.status == 0, (run.status, run.err[-2000:])
        assert len(run.first_forks) >= 4, len(run.first_forks)
        told = 0
        for first in run.first_forks:
            for thread in [first, *first["others"]]:
                for frame in thread.get("python", []):
                    name = frame["function"].split(".")[-1]
                    pythons = frame["file"].endswith("threading.py")
                    assert pythons or name in own, frame
                    assert pythons or frame["file"] == "<string>" or (
                        frame["file"].endswith("python_busy.py")), frame
                    told += 1
        assert told > 100, told
    return test


def subinterpreter(path):
    def test():
        run = driven([path, PROGRAMS / "python_subinterpreter.py"])
        if run.status == 77:
            raise Skip("this CPython has no subinterpreters")
        # The child may hang in CPython itself, which waits there for a lock of the other interpreter.
        assert run.status in (0, 66), (run.status, run.err)
        first, _ = frames_of(run)
        names = [f["function"].split(".")[-1] for f in first["others"][0]["python"]]
        assert names[:3] == ["deep", "<module>", "enter"], names
        assert "not matched" not in run.err, run.err
    return test


def test_embedded():
    config = shutil.which("python3-config", path="/usr/bin")
    if not config:
        raise Skip("python3-config: not installed")
    flags = execute([config, "--embed", "--includes", "--ldflags"]).stdout.split()
    target = BUILD / "programs/embedded_python"
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["gcc", "-O1", "-g", "-pthread", "-o", target,
                    PROGRAMS / "embedded_python.c", *flags], check=True)
    run = driven([target])
    assert run.status == 0, (run.status, run.err)
    first, _ = frames_of(run)
    assert [f["function"] for f in first["python"]] == ["<module>"], first["python"]
    assert first["python"][0] == {"file": "<string>", "line": 9, "function": "<module>",
                                  "entry": True}
    python = [[f["function"].split(".")[-1] for f in o["python"]] for o in first["others"]
              if "python" in o]
    assert len(first["others"]) == 2 and len(python) == 1 and python[0][0] == "wait", python


def without_symbols(name, path):
    """The interpreter is linked into a program that exports nothing."""
    def test():
        query = ("import sys, sysconfig\n"
                 "of = sysconfig.get_config_var\n"
                 "print(sys.base_prefix, sysconfig.get_path('include'),\n"
                 "      of('LIBPL') + '/' + of('LIBRARY'), of('LIBS'), of('SYSLIBS'))")
        home, include, archive, *libraries = execute([path, "-c", query]).stdout.split()
        if not Path(archive).exists() or not Path(include, "Python.h").exists():
            raise Skip(f"{archive}: not installed")
        target = BUILD / "programs" / f"embedded_python-{name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        # Modules whose libraries are not installed are not used.
        subprocess.run(["gcc", "-O1", "-s", "-no-pie", "-pthread", f"-I{include}", "-o", target,
                        PROGRAMS / "embedded_python.c", archive, *libraries,
                        "-Wl,--unresolved-symbols=ignore-all"], check=True)
        run = driven([target], env=dict(os.environ, PYTHONHOME=home))
        assert run.status == 0, (run.status, run.err)
        first, _ = frames_of(run)
        if minor_of(name) < 13:
            # The section is there from 3.10 on.
            assert minor_of(name) < 10 or "exports no symbols" in first["notes"][0], first
            assert "python" not in first, first
            return
        assert first["python_version"] == f"3.{minor_of(name)}" and "notes" not in first, first
        assert [(f["line"], f["function"]) for f in first["python"]] == [(9, "<module>")], first
        (python,) = [o for o in first["others"] if "python" in o]
        assert len(first["others"]) == 2 and python["python"][0]["function"] == "wait", first
        assert python["python_name"].startswith("Thread-1"), python
        assert "Python, not matched" in run.err and "that is not known" not in run.err, run.err
    return test


def test_virtual_environment():
    with tempfile.TemporaryDirectory() as folder:
        made = execute(["/usr/bin/python3", "-m", "venv", "--without-pip", folder])
        if made.returncode:
            raise Skip("python3-venv: not installed")
        run = driven([f"{folder}/bin/python3", PROGRAMS / "python_threads.py", "fork"])
    first, _ = frames_of(run)
    assert first["python"][0]["function"] == "main", first


def test_running_test_of_pytest():
    python = next((p for p in interpreters().values()
                   if execute([p, "-c", "import pytest"]).returncode == 0), None)
    if not python:
        raise Skip("pytest: not installed")
    with tempfile.TemporaryDirectory() as folder:
        tests = Path(folder) / "test_forking.py"
        tests.write_text("import os, threading\n"
                         "lock = threading.Lock()\n"
                         "def test_before(): pass\n"
                         "def test_that_forks():\n"
                         "  lock.acquire()\n"
                         "  threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
                         "  child = os.fork()\n"
                         "  if child == 0:\n"
                         "    lock.acquire()\n"
                         "  os.waitpid(child, 0)\n")
        run = driven([python, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests])
    assert run.status == 66, (run.status, run.err, run.out)
    (first,) = run.first_forks
    assert first["test"].endswith("test_forking.py::test_that_forks (call)"), first["test"]
    assert f"Running test: {first['test']}" in run.err, run.err
    summary = run.err.split("SUMMARY: forkhound: deadlock")[1].splitlines()[0]
    assert "test_forking.py:9 in test_that_forks" in summary, summary


def test_no_python_has_no_python():
    run = driven([build_program("idle_threads")])
    first, threads = frames_of(run)
    assert not any("python" in t for t in threads.values()) and "python_version" not in first
    assert "Python thread" not in run.err


def two_places(path):
    def test():
        run = driven([path, "-W", "ignore", PROGRAMS / "python_two_places.py"])
        assert run.status == 0, run.err
        callers = [f["python"][1]["function"] for f in run.first_forks]
        # Before and after CPython specializes a call its native stack differs.
        assert set(callers) == {"one", "two", "<module>"}, callers
        assert "7 multithreaded forks from 3 sites: 7 hazards" in run.err, run.err
        assert run.err.count("forkhound: HAZARD: ") == 3, run.err
    return test


def generated():
    tests = {}
    for name, path in interpreters().items():
        if minor_of(name) == 7:
            tests[f"test_declined_{name}"] = declined(path)
        if not OLDEST <= minor_of(name) <= NEWEST:
            continue
        tests[f"test_threads_of_others_{name}"] = threads_of_others(path)
        tests[f"test_busy_{name}"] = busy(path)
        tests[f"test_two_places_{name}"] = two_places(path)
        tests[f"test_subinterpreter_{name}"] = subinterpreter(path)
        tests[f"test_diagnose_{name}"] = diagnose(path)
        tests[f"test_without_symbols_{name}"] = without_symbols(name, path)
        tests[f"test_offsets_{name}"] = offsets(name, path)
        tests[f"test_same_as_faulthandler_{name}"] = same_as_faulthandler(name, path)
        for kind in ("lock", "queue", "future"):
            tests[f"test_deadlock_{kind}_{name}"] = deadlock(kind, path)
    return tests
