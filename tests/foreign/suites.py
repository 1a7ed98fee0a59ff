"""The suites: how each is built, which commands it consists of, and how its verdicts are read.

A suite is a function (work folder, path or None) -> [Case].
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from sources import Absent, debian_source, need_packages, run


@dataclass
class Case:
    name: str
    command: list
    folder: Path
    verdicts: Callable  # (output, exit status) -> {test: verdict}
    env: dict = field(default_factory=dict)
    limit: int = 900  # seconds


def tap(output, status):
    """TAP lines, also behind other text on the line; a repeated name gets a number."""
    verdicts = {}
    for match in re.finditer(r"^ *(not ok|ok) \d+ *-? *([^#\n]*?) *(# *(?:SKIP|skip|TODO)[^\n]*)?$", output, re.M):
        name = unused(verdicts, re.sub(r"0x[0-9a-f]+|\d{4,}", "N", match[2]))
        verdicts[name] = "skip" if match[3] else match[1]
    verdicts["(exit status)"] = "ok" if status == 0 else f"exit {status}"
    return verdicts


def unused(names, name):
    if name not in names:
        return name
    number = 2
    while f"{name} ({number})" in names:
        number += 1
    return f"{name} ({number})"


def exit_only(output, status):
    return {"(exit status)": "ok" if status == 0 else f"exit {status}"}


def libuv(work, path):
    source = debian_source(work, "libuv1", path)
    build = work / "libuv-build"
    if not (build / "uv_run_tests").exists():
        build.mkdir(exist_ok=True)
        need_packages("cmake")
        run(["cmake", "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_TESTING=ON", source], build, "libuv's cmake")
        run(["make", "-j2", "uv_run_tests"], build, "libuv's build")
    for name in ("fixtures",):
        if not (build / "test" / name).exists():
            shutil.copytree(source / "test" / name, build / "test" / name)
    return [Case("uv_run_tests", ["./uv_run_tests"], build, tap, {"UV_RUN_AS_ROOT": "1"})]


PYTHON_TESTS = ("test_fork1 test_os test_posix test_pty test_subprocess test_threading test_logging "
                "test_multiprocessing_fork test_multiprocessing_forkserver test_concurrent_futures").split()


def junit(path):
    def verdicts(output, status):
        found = {}
        if path.exists():
            for case in ElementTree.parse(path).iter("testcase"):
                kinds = {child.tag for child in case}
                verdict = next((k for k in ("error", "failure") if k in kinds), None)
                verdict = verdict or ("skip" if "skipped" in kinds else "ok")
                found[unused(found, case.get("name"))] = verdict
            path.unlink()
        found["(exit status)"] = "ok" if status == 0 else f"exit {status}"
        return found
    return verdicts


def interpreter(version):
    candidates = [shutil.which(f"python{version}"),
                  *sorted(glob.glob(os.path.expanduser(f"~/.pyenv/versions/{version}.*/bin/python{version}")))]
    for python in filter(None, candidates):
        if subprocess.run([python, "-c", "import test.libregrtest, test.test_fork1"],
                          capture_output=True).returncode == 0:
            return python
    return None


def cpython(version):
    def suite(work, path):
        python = path and str(next(Path(path).glob(f"bin/python{version}"), "")) or interpreter(version)
        if not python:
            raise Absent(f"no CPython {version} with its own tests (--path cpython{version}=PREFIX)")
        folder = work / f"cpython{version}"
        folder.mkdir(exist_ok=True)
        cases = []
        for test in PYTHON_TESTS:
            result = folder / f"{test}.xml"
            command = [python, "-m", "test", "--junit-xml", result, test]
            cases.append(Case(test, command, folder, junit(result), {"PYTHONDONTWRITEBYTECODE": "1"}))
        return cases
    return suite


def jemalloc(work, path):
    source = debian_source(work, "jemalloc", path)
    if not (source / "test/unit/fork").exists():
        if not (source / "configure").exists():
            need_packages("autoconf")
            run(["autoconf"], source, "jemalloc's autoconf")
        run(["./configure", "--with-version=0.0.0-0-g0"], source, "jemalloc's configure")
        run(["make", "-j2", "tests_unit", "tests_integration"], source, "jemalloc's build")

    def verdicts(output, status):
        found = {}
        for match in re.finditer(r"^(\w+)(?: \(([\w-]+)\))?: (pass|fail|skip)$", output, re.M):
            found[unused(found, f"{match[1]} {match[2] or ''}".strip())] = match[3]
        return found | exit_only(output, status)

    programs = sorted(p for kind in ("unit", "integration") for p in (source / "test" / kind).iterdir()
                      if p.is_file() and os.access(p, os.X_OK) and p.suffix == "")
    env = {"LD_LIBRARY_PATH": str(source / "lib")}
    return [Case(p.name, ["sh", "test/test.sh", p.relative_to(source)], source, verdicts, env)
            for p in programs]


REDIS_UNITS = ("unit/aofrw unit/other unit/oom-score-adj integration/rdb integration/aof integration/psync2-pingoff "
               "integration/convert-zipmap-hash-on-load integration/shutdown").split()  # those that fork


def redis(work, path):
    source = debian_source(work, "redis", path)
    need_packages("tcl")
    if not (source / "src/redis-server").exists():
        run(["make", "-j2", "MALLOC=libc"], source, "redis's build")

    def verdicts(output, status):
        found = {}
        plain = re.sub(r"\x1b\[[\d;]*m", "", output)
        for match in re.finditer(r"^\[(ok|err|skip|ignore|exception)\]: (.*?)(?: \(\d+ ms\))?$", plain, re.M):
            name = re.sub(r"\d+", "N", match[2])
            found[unused(found, name)] = match[1]
        return found | exit_only(output, status)

    return [Case(unit, ["./runtest", "--single", unit, "--clients", "1"], source, verdicts)
            for unit in REDIS_UNITS]


def git(work, path):
    source = debian_source(work, "git", path)
    if not (source / "t/helper/test-tool").exists():
        need_packages("zlib1g-dev", "libcurl4-openssl-dev", "libexpat1-dev", "gettext")
        run(["make", "-j2", "NO_TCLTK=1", "NO_PERL=1", "CFLAGS=-O1", "all"], source, "git's build")
    return [Case(name, ["sh", f"./{name}.sh"], source / "t", tap)
            for name in ("t0061-run-command", "t5516-fetch-push")]


def glib(work, path):
    if path:
        folder = Path(path)
    else:
        need_packages("libglib2.0-tests")
        folder = Path("/usr/share/installed-tests/glib")
    cases = []
    for file in sorted(folder.glob("*.test")):
        match = re.search(r"^Exec=(.*)$", file.read_text(), re.M)
        command = match[1].split()
        if any(word.endswith(".py") or "python" in word for word in command):
            continue  # tests of code generators: nothing of GLib's runs there
        programs = Path(command[-1] if command[-1].startswith("/") else command[0]).parent
        cases.append(Case(file.stem, command, programs if programs.is_dir() else work, tap,
                          {"G_TEST_SRCDIR": str(programs), "G_TEST_BUILDDIR": str(programs)}, 300))
    if not cases:
        raise Absent(f"no *.test files in {folder}")
    return cases


LTP_FOLDERS = "fork clone clone3 vfork wait wait4 waitpid waitid execl execle execlp execv execve execveat execvp".split()


def ltp(work, path):
    if not path:
        raise Absent("Debian has no package of the Linux Test Project: --path ltp=CHECKOUT")
    source = work / "ltp"
    kernel = source / "testcases/kernel/syscalls"
    if not source.exists():
        need_packages("autoconf", "automake", "m4", "pkg-config")
        shutil.copytree(path, work / "ltp.new", symlinks=True)
        run(["make", "autotools"], work / "ltp.new", "LTP's autotools")
        run(["./configure"], work / "ltp.new", "LTP's configure")
        run(["make", "-C", "lib", "-j2"], work / "ltp.new", "LTP's library")
        (work / "ltp.new").rename(source)
    cases = []
    for name in LTP_FOLDERS:
        if not (kernel / name).is_dir():
            continue
        run(["make", "-C", kernel / name, "-j2"], source, f"LTP's {name}")

        def verdicts(output, status):
            kinds = re.findall(r"\b(TPASS|TFAIL|TBROK|TCONF)\b *:", re.sub(r"\x1b\[[\d;]*m", "", output))
            lines = ", ".join(f"{kinds.count(k)} {k}" for k in sorted(set(kinds)))
            return {"(exit status, lines)": f"{'ok' if status == 0 else f'exit {status}'} ({lines})"}

        for program in sorted((kernel / name).iterdir()):
            if program.is_file() and os.access(program, os.X_OK) and re.fullmatch(r"[a-z0-9]+\d\d", program.name):
                cases.append(Case(f"{name}/{program.name}", [program], kernel / name, verdicts,
                                  {"PATH": f"{kernel / name}:{os.environ['PATH']}", "LTPROOT": str(source)}, 600))
    return cases


SUITES = {"libuv": libuv, "cpython3.12": cpython("3.12"), "cpython3.13": cpython("3.13"),
          "cpython3.14": cpython("3.14"), "jemalloc": jemalloc, "redis": redis, "git": git, "glib": glib,
          "ltp": ltp}
