"""--redirect-python: multiprocessing's default start method, where the program chooses none."""

import re
import shutil
import subprocess
import sys
import tempfile
import zipapp
from pathlib import Path

from harness import BUILD, COMMAND, PROGRAMS, build_program, driven, environment, execute, plain
from run import Skip
from test_python import NEWEST, OLDEST, interpreters, minor_of
from test_python_cases import program, readable

METHODS = ("spawn", "forkserver")
REDIRECT = {m: ("--time-limit", "100", f"--redirect-python={m}") for m in METHODS}
DEFAULT = "import multiprocessing; print(multiprocessing.get_start_method())"


CHOSEN_FORK = "by fork, as it chose itself"


def notes(run):
    """Of what is redirected."""
    return [e["text"] for e in run.named("note") if CHOSEN_FORK not in e["text"]]


def own_method(minor):
    """CPython's default."""
    return "fork" if minor < 14 else "forkserver"


def demonstration(path, minor):
    """The best-known deadlock: a child of 1,000 hangs at the latest by fork, and none of 20 otherwise."""
    def test():
        text = (PROGRAMS / "stderr_lock.py").read_text()
        text = text.replace('    multiprocessing.set_start_method("fork")\n', "")
        # At the end CPython itself waits for the lock of stderr, and gives up.
        end = '    print("all ended", flush=True)\n    __import__("os")._exit(0)\n'
        with program(text + end) as main, program(text.replace("range(1000)", "range(20)") + end) as few:
            # Writing to a pipe takes time, to /dev/null none: 3.8's main thread gets no turn then.
            drop = '{ "$0" "$1" 2>&1 >&3 | cat >/dev/null; } 3>&1'
            if own_method(minor) == "fork":
                run = driven(["sh", "-c", drop, path, main], "--time-limit", "100")
                assert run.status == 66 and run.named("deadlock"), (run.status, run.err[-2000:])
            for method in METHODS:
                run = driven(["sh", "-c", drop, path, few], *REDIRECT[method])
                assert (run.status, run.out) == (0, "all ended\n"), (run.status, run.err[-2000:])
                assert not run.named("deadlock") and not run.named("hazard"), run.err
                expected = rf"(process \d+ starts its multiprocessing processes by {method})?"
                assert re.fullmatch(expected, "".join(notes(run))), notes(run)
                assert bool(notes(run)) == (method != own_method(minor)), notes(run)
    return test


CHOSEN = """
import multiprocessing, sys, threading
def work():
    pass
if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    for _ in range(2):
        process = context.Process(target=work)
        process.start()
        process.join()
"""


def fork_by_choice(path):
    """Said once, without -v: the option changes nothing there."""
    def test():
        with program(CHOSEN) as main:
            for method, times in (("fork", 1), ("spawn", 0)):
                run = driven([path, main, method], *REDIRECT["spawn"])
                told = [e["text"] for e in run.named("note") if CHOSEN_FORK in e["text"]]
                assert run.status == 0 and len(told) == times, (method, run.err)
                assert run.err.count("--redirect-python=spawn leaves that") == times, run.err
    return test


CHOICES = """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
def name():
    return multiprocessing.get_start_method()
if __name__ == "__main__":
    method = sys.argv[1]
    assert multiprocessing.get_start_method(allow_none=True) is None
    assert multiprocessing.get_context("fork").get_start_method() == "fork"
    for chosen in ("fork", "spawn", "forkserver"):
        multiprocessing.set_start_method(chosen, force=True)
        assert multiprocessing.get_context() is multiprocessing.get_context(chosen)
    multiprocessing.set_start_method(None, force=True)
    assert multiprocessing.get_start_method(allow_none=True) is None
    if "fork" in sys.argv[2:]:
        multiprocessing.set_start_method("fork")
        method = "fork"
    assert multiprocessing.get_start_method() == method, multiprocessing.get_start_method()
    assert multiprocessing.get_start_method(allow_none=True) == method
    try:
        multiprocessing.set_start_method("spawn")
    except RuntimeError as error:
        assert str(error) == "context has already been set"
    else:
        raise AssertionError("set twice")
    with ProcessPoolExecutor(1) as executor, multiprocessing.Pool(1) as pool:
        print(executor.submit(name).result(), pool.apply(name), type(pool._pool[0]).__name__)
    with multiprocessing.Manager() as manager:
        print(manager.list([1]))
    methods = multiprocessing.get_all_start_methods()
    assert methods[0] == (sys.argv[1] if sys.version_info >= (3, 14) else "fork"), methods
    assert sorted(methods) == ["fork", "forkserver", "spawn"], methods
"""


def choices(path, minor):
    """What the program chooses holds; the children's method is their parent's, as ever."""
    def test():
        with program(CHOICES) as main:
            for method, kind in (("spawn", "SpawnProcess"), ("forkserver", "ForkServerProcess")):
                run = driven([path, main, method], *REDIRECT[method])
                assert (run.status, run.out) == (0, f"{method} {method} {kind}\n[1]\n"), (run.out, run.err)
                assert len(notes(run)) == (method != own_method(minor)), run.events
                run = driven([path, main, method, "fork"], *REDIRECT[method])
                assert (run.status, run.out) == (0, "fork fork ForkProcess\n[1]\n"), (run.out, run.err)
                assert not notes(run), run.events
    return test


SEEN = """
import os, sys
print(sys.path, sorted(sys.modules), sys.flags, sys.excepthook is sys.__excepthook__)
if "sitecustomize" in sys.modules:
    found = sys.modules["sitecustomize"]
    print(found.__name__, found.__file__, found.__spec__, getattr(found, "seen", None))
print({k: v for k, v in os.environ.items() if k not in sys.argv})
"""
OURS = ("LD_PRELOAD", "PYTHONPATH", "FORKHOUND_EVENTS", "FORKHOUND_REDIRECT_PYTHON")


def without_addresses(text):
    return re.sub(r" at 0x\w+", "", text)


def unseen(path):
    """The program finds all but four variables as without us, whatever sitecustomize there is."""
    def test():
        with program(SEEN) as main:
            folder = main.parent
            for name in ("package/sitecustomize", "module", "broken", "absent"):
                (folder / name).mkdir(parents=True)
            (folder / "package/sitecustomize/__init__.py").write_text("from . import part\nseen = 1\n")
            (folder / "package/sitecustomize/part.py").write_text("")
            (folder / "module/sitecustomize.py").write_text("import sys\nseen = sys.path[:]\n")
            (folder / "broken/sitecustomize.py").write_text("import nowhere\n")
            subprocess.run([path, "-m", "venv", "--without-pip", folder / "venv"], check=True)
            (site,) = folder.glob("venv/lib/python3.*/site-packages")
            (site / "sitecustomize.py").write_text("seen = 'by the environment'\n")
            for python in (path, folder / "venv/bin/python"):
                for entries in (None, "", "absent", "package", "module", "broken", "absent:module:package"):
                    more = {} if entries is None else {
                        "PYTHONPATH": ":".join(f"{folder}/{e}" for e in entries.split(":") if e)}
                    command = [python, main, *OURS]
                    without = plain(command, env=environment(**more))
                    run = driven(command, *REDIRECT["spawn"], env=environment(**more))
                    assert run.status == 0 and without_addresses(run.out) == without_addresses(without.out), (
                        entries, run.out, without.out)
                    assert run.err == without.err, (entries, run.err, without.err)
    return test


def ways(path, minor):
    """However the interpreter is started, it is redirected, unless it heeds no environment."""
    def test():
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "default.py").write_text(DEFAULT)
            (Path(folder) / "app").mkdir()
            (Path(folder) / "app/__main__.py").write_text(DEFAULT)
            zipapp.create_archive(Path(folder) / "app", Path(folder) / "app.pyz")
            quoted = f'{path} -c "{DEFAULT}"'
            starts = {
                "spawn": [[path, "-c", DEFAULT], [path, "-s", "-c", DEFAULT], [path, "-m", "default"],
                          [path, "default.py"], [path, "app.pyz"], ["sh", "-c", f"PYTHONPATH=/x {quoted}"],
                          ["sh", "-c", f"unset PYTHONPATH; {quoted}"], ["env", "-i", path, "-c", DEFAULT],
                          [path, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {DEFAULT!r}], "
                                       "env={'PYTHONPATH': '/x'}, check=True)"]],
                own_method(minor): [[path, f, "-c", DEFAULT] for f in ("-E", "-I", "-S")]}
            for expected, commands in starts.items():
                for command in commands:
                    run = driven(command, *REDIRECT["spawn"], cwd=folder)
                    assert (run.status, run.out, run.err) == (0, expected + "\n", ""), (command, run.out, run.err)
    return test


UNPICKLABLE = """
import multiprocessing, os, sys, threading
def main():
    def local():
        pass
    if "CHOOSE" in os.environ:
        multiprocessing.set_start_method(os.environ["CHOOSE"])
    target, arguments = {"local": (local, ()), "lock": (print, (threading.Lock(),))}[sys.argv[1]]
    for again in range(3):
        try:
            multiprocessing.Process(target=target, args=arguments).start()
        except Exception as error:
            print(type(error).__name__, str(error))
    multiprocessing.Process(target=target, args=arguments).start()
if __name__ == "__main__":
    main()
"""

UNGUARDED = """
import multiprocessing, os
if "CHOOSE" in os.environ and multiprocessing.get_start_method(allow_none=True) is None:
    multiprocessing.set_start_method(os.environ["CHOOSE"])
process = multiprocessing.Process(target=print)
process.start()
process.join()
print(process.exitcode)
"""


def hints(path, minor):
    """CPython's own words, as under a program that chooses the method; then ours, once. Where its default asks as
    much of a program there is none of ours."""
    def test():
        count = 2 if own_method(minor) == "fork" else 0
        for text, arguments, about in ((UNPICKLABLE, ["local"], "pickle"), (UNPICKLABLE, ["lock"], "pickle"),
                                       (UNGUARDED, [], "import the main module")):
            with program(text) as main:
                command = [path, main, *arguments]
                for method in METHODS:
                    chosen = plain(command, env=environment(CHOOSE=method))
                    run = driven(command, *REDIRECT[method])
                    assert run.status == chosen.status and without_addresses(run.out) == (
                        without_addresses(chosen.out)), (run.out, run.err, chosen.err)
                    ours = re.findall("^forkhound: .*", run.err, re.M)
                    assert [*lines(chosen.err), *ours] == lines(run.err), (run.err, chosen.err)
                    assert len(ours) == count, ours
                    assert not ours or f"--redirect-python={method} " in ours[0] and about in ours[0], ours
                    # Nor is there a word of ours where the program has chosen.
                    env = environment(CHOOSE=method)
                    assert text is UNGUARDED or "forkhound" not in driven(command, *REDIRECT[method], env=env).err
    return test


NESTED = """
import multiprocessing, os
def start():
    multiprocessing.Process(target=lambda: 0).start()
if __name__ == "__main__":
    if "CHOOSE" in os.environ:
        multiprocessing.set_start_method(os.environ["CHOOSE"])
    multiprocessing.Process(target=start).start()
"""


def hints_in_children(path):
    """What a child starts is started as its parent was, by us or by the program."""
    def test():
        for method in METHODS:
            with program(NESTED) as main:
                run = driven([path, main], *REDIRECT[method])
                assert len(re.findall("^forkhound: .*pickle", run.err, re.M)) == 1, run.err
                assert len(notes(run)) == 2, run.events
                run = driven([path, main], *REDIRECT[method], env=environment(CHOOSE=method))
                assert "forkhound" not in run.err and "local object" in run.err and not notes(run), run.err
    return test


def lines(text):
    """Without the blank ones that end a message, and the numbers of descriptors that Python 3.13 shows."""
    text = without_addresses(re.sub(r"(tracker_fd|pipe_handle)=\d+", r"\1=", text))
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def cpython_tests(path, minor, modules):
    """CPython's own tests of the methods, which all choose theirs, have the results that they have without."""
    def test():
        part = ".test_processes" if minor >= 12 else ""
        for module in modules:
            name = f"test.test_multiprocessing_{module}{part}"
            if execute([path, "-c", f"import {name}"]).returncode:
                raise Skip(f"{name} is not installed")
            some = () if "--full" in sys.argv else ("-k", "*TestProcess.test_[p-z]*")
            command = [path, "-m", "unittest", "-v", *some, f"{name}.WithProcessesTestProcess"]
            without, run = plain(command), driven(command, "-q", "--redirect-python=forkserver")
            assert run.status == without.status, run.err[-3000:]
            assert verdicts(run.err) == verdicts(without.err) and verdicts(run.err), run.err[-3000:]
    return test


def verdicts(text):
    return sorted(re.findall(r"^(test_\w+) \(.*\.\.\. (ok|FAIL|ERROR|skipped)", text, re.M))


def test_other_pythons():
    """Neither older ones nor PyPy: they run as without the option."""
    paths = [p for n, p in interpreters().items() if not OLDEST <= minor_of(n) <= NEWEST]
    paths += [*Path.home().glob(".pyenv/versions/2.*/bin/python"), *filter(None, [shutil.which("pypy3")])]
    if not paths:
        raise Skip("no Python but CPython 3.8 to 3.15 is installed")
    code = ("import multiprocessing, sys; print(sys.path, sorted(sys.modules), sys.meta_path,"
            "getattr(multiprocessing, 'get_start_method', int)())")
    for path in paths:
        without, run = plain([path, "-c", code]), driven([path, "-c", code], *REDIRECT["spawn"])
        assert (run.status, run.err) == (0, ""), (path, run.err)
        assert without_addresses(run.out) == without_addresses(without.out), (path, run.out, without.out)


PTH = "import multiprocessing.context\n"


def test_imported_before_us():
    """A .pth file may import multiprocessing in each Python that starts."""
    path = list(readable().values())[-1]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([path, "-m", "venv", "--without-pip", folder], check=True)
        (packages,) = Path(folder).glob("lib/python3.*/site-packages")
        (packages / "early.pth").write_text(PTH)
        run = driven([Path(folder) / "bin/python", "-c", DEFAULT], *REDIRECT["spawn"])
        assert (run.status, run.out, run.err) == (0, "spawn\n", ""), (run.out, run.err)


def test_subinterpreter():
    path = list(readable().values())[-1]
    code = f"import _testcapi; _testcapi.run_in_subinterp({DEFAULT!r})"
    if execute([path, "-c", "import _testcapi; _testcapi.run_in_subinterp"]).returncode:
        raise Skip(f"{path} has no _testcapi")
    run = driven([path, "-c", f"{code}; {DEFAULT}"], *REDIRECT["spawn"])
    assert (run.status, run.out, run.err) == (0, "spawn\nspawn\n", ""), (run.out, run.err)


EMBEDS = """#include <Python.h>
int main(int argc, char **argv)
{
  Py_SetProgramName(Py_DecodeLocale(argv[0], NULL));
  Py_Initialize();
  PyRun_SimpleString("import multiprocessing, sys; print(sys.executable, multiprocessing.get_start_method())");
  return Py_FinalizeEx() + 0 * argc;
}
"""


def test_embedded():
    """A program that is no Python is not to be started as one."""
    config = shutil.which("python3-config", path="/usr/bin")
    if not config:
        raise Skip("python3-config: not installed")
    flags = execute([config, "--embed", "--includes", "--ldflags"]).stdout.split()
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "program.c", Path(folder) / "program"
        source.write_text(EMBEDS)
        subprocess.run(["gcc", "-w", "-o", target, source, *flags], check=True)
        run = driven([target], *REDIRECT["spawn"])
        assert (run.status, run.out, run.err) == (0, f"{target} fork\n", ""), (run.out, run.err)


def test_installed():
    """With a colon in its path, which PYTHONPATH cannot quote."""
    meson = shutil.which("meson", path="/usr/bin") or shutil.which("meson")
    if not meson:
        raise Skip("meson: not installed")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "a:b"
        subprocess.run([meson, "install", "-C", BUILD, "--no-rebuild", "--destdir", root], check=True,
                       stdout=subprocess.DEVNULL)
        (command,) = root.glob("**/bin/forkhound")
        for code in (DEFAULT, "import sys; print(*sys.path)"):
            run = plain([command, "run", "--redirect-python=spawn", "--", "/usr/bin/python3", "-c", code])
            without = plain(["/usr/bin/python3", "-c", code])
            assert (run.status, run.err) == (0, ""), run.err
            assert run.out == without.out.replace("fork\n", "spawn\n"), run.out


def test_bad_values_are_one_line():
    for value in ("", "fork", "Spawn", "spawn,forkserver"):
        run = execute([COMMAND, "run", f"--redirect-python={value}", "--", "true"])
        assert run.returncode == 125 and run.stderr == (
            f"forkhound: run: --redirect-python: expected spawn or forkserver, got '{value}'\n"), run.stderr


def test_shells_borrow_the_memory():
    """popen() and system() need no redirection."""
    if not shutil.which("strace"):
        raise Skip("strace: not installed")
    run = plain(["strace", "-f", "-qq", "-e", "trace=fork,vfork,clone,clone3", build_program("shells")])
    made = re.findall(r"^(?:\[pid +\d+\] )?\w+\((.*)", run.err, re.M)
    thread = [c for c in made if "CLONE_THREAD" in c]
    assert len(made) == len(thread) + 2 and all("CLONE_VM|CLONE_VFORK" in c for c in made if c not in thread), run.err


def generated():
    tests = {}
    for name, path in readable().items():
        minor = minor_of(name)
        tests[f"test_demonstration_{name}"] = demonstration(path, minor)
        tests[f"test_choices_{name}"] = choices(path, minor)
        tests[f"test_unseen_{name}"] = unseen(path)
        tests[f"test_ways_{name}"] = ways(path, minor)
        tests[f"test_hints_{name}"] = hints(path, minor)
        if own_method(minor) == "fork":
            tests[f"test_fork_by_choice_{name}"] = fork_by_choice(path)
        if 11 <= minor <= 13:
            tests[f"test_hints_in_children_{name}"] = hints_in_children(path)
    full = "--full" in sys.argv
    chosen = readable() if full else [max(readable(), key=minor_of)]
    for name in chosen:
        modules = ("spawn", "forkserver", "fork") if full else ("spawn",)
        tests[f"test_cpython_{name}"] = cpython_tests(readable()[name], minor_of(name), modules)
    return tests
