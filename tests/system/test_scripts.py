"""What the scripts say where a fresh machine cannot give what they need; the machine is a PATH of
stand-ins."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from harness import TOP

TOOLS = ("awk", "bash", "cat", "df", "dirname", "env", "grep", "mkdir", "mktemp", "rm", "sleep", "tail",
         "tee")
USER = "echo 1000"
ROOT = "echo 0"


def run_script(script, *arguments, files=(), **programs):
    """The script in a tree that has nothing else but `files`, with these programs, given as shell text."""
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder) / "top"
        (top / "scripts").mkdir(parents=True)
        path = Path(folder) / "bin"
        path.mkdir()
        shutil.copy(TOP / "scripts" / script, top / "scripts")
        for name in files:
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).touch()
        for tool in TOOLS:
            if tool not in programs:
                (path / tool).symlink_to(shutil.which(tool))
        for name, text in programs.items():
            program = path / name.replace("_", "-")
            program.write_text(f"#!/bin/bash\ncd {folder}\n{text}\n")
            program.chmod(0o755)
        return subprocess.run([str(top / "scripts" / script), *arguments], text=True, capture_output=True,
                              stdin=subprocess.DEVNULL, env={"PATH": str(path)})


def install(**programs):
    return run_script("install-deps", **{"dpkg_query": "exit 1", "id": ROOT, "apt_get": "exit 0",
                                         **programs})


def test_user_without_sudo_gets_one_line():
    run = install(id=USER)
    assert run.returncode == 1 and run.stdout == "" and run.stderr.count("\n") == 1, run
    assert run.stderr.startswith(
        "install-deps: neither root nor sudo: have an administrator run: apt-get update && apt-get install")
    run = install(id=USER, sudo="exit 1")
    assert run.returncode == 1 and run.stderr.startswith(
        "install-deps: sudo refused: have an administrator run: apt-get update &&"), run


def test_user_with_sudo_installs():
    run = install(id=USER, sudo=': >asked\n"$@"', apt_get="[ -e asked ]")
    assert run.returncode == 0 and run.stderr == "", run
    assert "install-deps: libjansson-dev (11 of 13)\n" in run.stdout, run


def test_another_distribution():
    run = run_script("install-deps", dpkg_query="exit 1", id=ROOT)
    assert run.returncode == 1 and run.stdout == "", run
    assert run.stderr.startswith("install-deps: no apt-get here: install by other means what "), run


def test_failed_package_is_named():
    fails = '[[ "$*" == *" libdw-dev" ]] && echo "E: broken" && exit 100'
    run = install(apt_get=f"{fails}\nexit 0")
    assert run.returncode == 1 and run.stderr == (
        "E: broken\ninstall-deps: package 'libdw-dev' could not be installed: "
        "run 'apt-get install libdw-dev' to see why\n"), run
    warns = '[[ "$*" == *" update" ]] && echo "W: Failed to fetch http://x/InRelease" && exit 0'
    run = install(apt_get=f"{warns}\n{fails}\nexit 0")
    assert run.returncode == 1 and run.stderr.endswith(
        "package 'libdw-dev' could not be installed: check the network and the package sources:\n"
        "W: Failed to fetch http://x/InRelease\n"), run
    run = install(apt_get='echo "E: no route"; exit 100')
    assert run.returncode == 1 and run.stderr == (
        "E: no route\ninstall-deps: 'apt-get update' failed: check the network and the package sources\n"), run


def test_another_apt_is_waited_for():
    run = install(apt_get='[[ "$*" == *" update" && ! -e tried ]] || exit 0\n'
                          ': >tried; echo "E: Could not get lock /var/lib/apt/lists/lock"; exit 100')
    assert run.returncode == 0 and run.stdout.count("install-deps: waiting for another apt to end\n") == 1, run


def build(**programs):
    return run_script("build", "folder", files=("folder/build.ninja",), **programs)


def test_build_says_how_far_it_is():
    run = build(ninja='for i in {1..40}; do echo "[$i/40] Compiling x.o"; done')
    assert (run.returncode, run.stderr) == (0, ""), run
    assert run.stdout == "".join(f"build: {n} of 40 steps done\n" for n in (10, 20, 30, 40)), run


def test_build_says_what_failed():
    run = build(ninja='echo "[1/2] Compiling good.o"; echo "x.c:1: error: bad"; exit 1')
    assert run.returncode == 1 and run.stderr == (
        "x.c:1: error: bad\n"
        "build: 'ninja -C folder' failed: the whole output is in folder/build.log\n"), run
    full = build(ninja="exit 1", df="echo head; echo x 1 1 3 100% /")
    assert "build: the disk of folder is full: free some of it\n" in full.stderr, full
    run = run_script("build", "folder", files=("folder",), id="echo somebody")
    assert run.returncode == 1 and "somebody cannot write folder: make it writable" in run.stderr, run
