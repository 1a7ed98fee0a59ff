"""Programs that set LD_PRELOAD themselves keep the library; what runs without it is named."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from harness import (COMMAND, LIBRARY, PROGRAMS, bare, build_library, build_program, driven, environment, execute,
                     plain)
from run import Skip
from test_blind import FORKS, compiled
from test_harm import find_library

# What the ways of leaves.c do, and shells and env(1).
WAYS = ("execle", "execve", "execvpe", "fexecve", "execveat", "syscall", "posix_spawn", "posix_spawnp", "execv",
        "execlp", "system", "popen", "unset")
OTHER = "libdoes-not-matter.so.1"


def both(command, **how):
    return driven(command, **how), bare(command, **how)


def covered(command, status=0, **how):
    """One fork of a process with threads is seen, and nothing is a blind spot."""
    for run in both(command, **how):
        assert run.status == status, (command, run.status, run.err)
        assert len(run.named("fork")) == 1, (command, run.events, run.err)
        assert not run.named("blind"), (command, run.named("blind"))


def test_every_way_to_exec():
    leaves, program = build_program("leaves"), build_program("idle_threads")
    for way in WAYS:
        covered([leaves, way, program])


def test_shells_and_env():
    program = build_program("idle_threads")
    for text in (f"env LD_PRELOAD={OTHER} {program}", f"LD_PRELOAD= {program}", f"env -i {program}",
                 f"env -u LD_PRELOAD {program}", f"LD_PRELOAD={OTHER}; export LD_PRELOAD; exec {program}",
                 f"sh -c 'LD_PRELOAD={OTHER} exec {program}'"):
        covered(["sh", "-c", text])


def test_jemalloc_set_by_the_program():
    """The allocator is in use, and the library behind it."""
    find_library("libjemalloc.so.2")
    for text in (f"env LD_PRELOAD=libjemalloc.so.2 {build_program('idle_threads')}",
                 f"LD_PRELOAD='libeatmydata.so libjemalloc.so.2' {build_program('idle_threads')}"):
        covered(["sh", "-c", text])
    run = driven(["env", "LD_PRELOAD=libjemalloc.so.2", "MALLOC_CONF=stats_print:true", "python3", "-E", "-c",
                  "import os; print(os.environ['LD_PRELOAD'])"])
    assert run.out == f"libjemalloc.so.2:{LIBRARY}\n", run.out
    assert "jemalloc statistics" in run.err, run.err


def test_deadlock_with_jemalloc():
    find_library("libjemalloc.so.2")
    text = f"LD_PRELOAD=libjemalloc.so.2 exec python3 -E {PROGRAMS}/stderr_lock.py 2>/dev/null"
    run = driven(["sh", "-c", text], "--report", "json:/dev/null")
    assert run.status == 66 and len(run.named("deadlock")) == 1, (run.status, run.err)


def test_address_sanitizer_set_by_the_program():
    """It wants to be the first library."""
    program = build_program("idle_threads", "-fsanitize=address")
    runtime = subprocess.check_output(["gcc", "-print-file-name=libasan.so"], text=True).strip()
    covered(["sh", "-c", f"LD_PRELOAD={os.path.realpath(runtime)} exec {program}"])


def test_library_that_wraps_fork_and_exec():
    other, program = build_library("wraps_fork", "-ldl"), build_program("idle_threads")
    covered(["env", f"LD_PRELOAD={other}", program])
    # Its execve() drops every variable.
    covered(["env", f"LD_PRELOAD={other}", "/usr/bin/env", program])


def test_before_the_command():
    """What the caller has set stays first."""
    env = environment(LD_PRELOAD="libeatmydata.so")
    find_library("libeatmydata.so*")
    run = driven(["sh", "-c", "echo $LD_PRELOAD"], env=env)
    assert run.out == f"libeatmydata.so:{LIBRARY}\n", run.out


def test_wrong_clock():
    """Of libfaketime: the times of events are the system's, as the command goes by them."""
    faketime = find_library("faketime/libfaketime.so.1")
    run = driven(["env", f"LD_PRELOAD={faketime}", "FAKETIME=-10d", build_program("idle_threads")])
    assert run.status == 0, run.err
    fork, = run.named("fork")
    assert abs(fork["time_ns"] / 1e9 - time.time()) < 3600, fork["time_ns"]


def test_addresses_that_cannot_be_read():
    leaves = build_program("leaves")
    for run in (plain([leaves, "bad-address", "/bin/true"]), *both([leaves, "bad-address", "/bin/true"])):
        assert run.status == 7, (run.status, run.err)


def test_loader_is_no_blind_spot():
    run = driven(["ldd", "/bin/ls"], "-v")
    assert run.status == 0 and "libc.so.6" in run.out, run.err
    assert not run.named("blind") and run.err.splitlines()[-1] == "forkhound: no multithreaded fork seen", run.err
    loader, program = os.path.realpath("/lib64/ld-linux-x86-64.so.2"), build_program("idle_threads")
    covered(["/lib64/ld-linux-x86-64.so.2", program])
    covered(["sh", "-c", f"{loader} {program}; exit $?"])


def test_static_by_descriptor_and_in_scripts():
    with tempfile.TemporaryDirectory() as folder:
        program, script = compiled(folder, FORKS, "gcc", "-static"), Path(folder) / "script"
        script.write_text(f"#! {program}\n")
        script.chmod(0o755)
        for command in ([build_program("leaves"), "fexecve", program], [build_program("leaves"), "execveat", program],
                        ["sh", "-c", f"{script}; exit $?"]):
            run = driven(command)
            assert run.status == 5, (run.status, run.err)
            assert {(e["path"], e["why"]) for e in run.named("blind")} == {(str(program), "statically linked")}, \
                (command, run.events)


def uncovered(before, folder):
    """Runs dash until the command has told of it; returns the paths and reasons."""
    log = Path(folder) / "log"
    wait = f"n=0; while [ $n -lt 600 ] && ! grep -q 'without the library' {log}; do sleep 0.1; n=$((n+1)); done; exit 5"
    process = execute([COMMAND, "run", "--log", log, "--", *before, "/bin/sh", "-c", wait])
    assert process.returncode == 5, (process.returncode, process.stderr)
    return process.stderr.splitlines()[-1]


def test_removed_on_purpose():
    """By a system call that nothing sees, by a static program, and before system()."""
    shell = os.path.realpath("/bin/sh")
    with tempfile.TemporaryDirectory() as folder:
        last = uncovered([build_program("leaves"), "inline"], folder)
        assert last.startswith("forkhound: no multithreaded fork seen; blind spots: "), last
        assert f"{shell} (ran without the library)" in last, last
    with tempfile.TemporaryDirectory() as folder:
        source = (PROGRAMS / "leaves.c").read_text()
        static = compiled(folder, source, "gcc", "-D_GNU_SOURCE", "-static")
        last = uncovered([static, "execve"], folder)
        assert f"{static} (statically linked)" in last and f"{shell} (ran without the library)" in last, last
    run = driven([build_program("leaves"), "unset-system", "/bin/true"])
    assert run.status == 0, run.err
    assert [(e["path"], e["why"]) for e in run.named("blind")] == [("/bin/sh", "started without LD_PRELOAD")], run.events


def test_library_that_cannot_be_read():
    setpriv = shutil.which("setpriv")
    if os.geteuid() or not setpriv:
        raise Skip("needs root, and setpriv")
    with tempfile.TemporaryDirectory() as folder:
        library = shutil.copy(LIBRARY, folder)
        run = driven([setpriv, "--reuid", "65534", "--clear-groups", "/bin/true"],
                     env=environment(FORKHOUND_LIBRARY=library))
        assert run.status == 0, run.err
        assert [(e["path"], e["why"]) for e in run.named("blind")] == [("/bin/true", "cannot read the library")], run.events
