"""The program's result with the library is the one without it."""

import os
import resource
import shutil
import subprocess
import tempfile
from pathlib import Path

from harness import (LIBRARY, PROGRAMS, bare, build_cxx, build_program, driven, environment, execute,
                     plain)
from run import Skip


def find_library(name):
    for folder in ("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu"):
        for path in sorted(Path(folder).glob(name)):
            return path
    raise Skip(f"{name} is not installed")


def other_preload(name):
    program = build_program("idle_threads")
    other = find_library(name)
    for preload in (f"{other}:{LIBRARY}", f"{LIBRARY}:{other}"):
        run = bare([program], preload=preload)
        assert run.status == 0, run.err
        assert len(run.named("fork")) == 1


def test_jemalloc_before_and_after():
    other_preload("libjemalloc.so.2")


def test_eatmydata_before_and_after():
    other_preload("libeatmydata.so*")


def sanitizer(flag, runtime=None):
    program = build_program("idle_threads", flag)
    run = bare([program], preload=f"{runtime}:{LIBRARY}" if runtime else None)
    assert run.status == plain([program]).status == 0, run.err
    assert len(run.named("fork")) == 1, run.err


def test_address_sanitizer():
    # ASan wants to be the first library, whatever else is preloaded.
    runtime = subprocess.check_output(["gcc", "-print-file-name=libasan.so"], text=True).strip()
    sanitizer("-fsanitize=address", os.path.realpath(runtime))


def test_thread_sanitizer():
    sanitizer("-fsanitize=thread")


def test_log_on_a_full_disk_is_one_warning():
    env = environment(LD_PRELOAD=str(LIBRARY), FORKHOUND_OPTIONS="log_path=/dev/full")
    run = execute([build_program("storm")], env=env)
    assert run.returncode == 0
    assert run.stderr.count("cannot append to log_path '/dev/full': ENOSPC") == 1, run.stderr


def test_log_in_a_folder_that_is_not_there():
    env = environment(LD_PRELOAD=str(LIBRARY), FORKHOUND_OPTIONS="log_path=/does/not/exist/log")
    run = execute([build_program("idle_threads")], env=env)
    assert run.returncode == 0
    assert "ENOENT" in run.stderr


def test_standard_descriptors_closed_at_start():
    program = build_program("idle_threads")
    run = bare(["sh", "-c", f"exec {program} <&- >&- 2>&-"])
    assert run.status == 0
    assert len(run.named("fork")) == 1


def test_large_environment():
    # 5 MB: the kernel takes a quarter of the stack's limit, and no more than 6 MB.
    more = {f"V{i}": "x" * 100000 for i in range(50)}
    limits = resource.getrlimit(resource.RLIMIT_STACK)
    if limits[1] != resource.RLIM_INFINITY and limits[1] < 1 << 25:
        raise Skip("the stack's hard limit is too low for a large environment")
    env = environment(LD_PRELOAD=str(LIBRARY), **more)
    run = execute([build_program("idle_threads")], env=env, preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_STACK, (1 << 25, limits[1])))
    assert run.returncode == 0 and "SUMMARY: forkhound: hazard" in run.stderr


def test_stderr_closed_pipe_does_not_kill():
    read_end, write_end = os.pipe()
    os.close(read_end)
    env = environment(LD_PRELOAD=str(LIBRARY))
    status = subprocess.run([str(build_program("idle_threads"))], env=env, stderr=write_end).returncode
    os.close(write_end)
    assert status == 0, status


def test_under_valgrind():
    valgrind = shutil.which("valgrind")
    if not valgrind:
        raise Skip("valgrind is not installed")
    run = bare([valgrind, "-q", "--error-exitcode=9", build_program("idle_threads")])
    assert run.status == 0, run.err
    fork = run.named("fork")[0]
    assert (fork["threads"], fork["capture_why"]) == (4, "the program runs under valgrind")


def test_traced_by_strace():
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        run = execute(["strace", "-f", "-o", "/dev/null", "-E", f"LD_PRELOAD={LIBRARY}", "-E",
                       f"FORKHOUND_OPTIONS=log_path={log}", build_program("idle_threads")])
        assert run.returncode == 0, run.stderr
        assert '"capture":"proc"' in log.read_text()
        assert "already traced" in run.stderr


def test_no_memory_of_single_threaded_process():
    """A process without threads never loads libunwind."""
    env = environment(LD_PRELOAD=str(LIBRARY))
    run = execute(["cat", "/proc/self/maps"], env=env)
    assert "libforkhound" in run.stdout and "libunwind" not in run.stdout


def test_exceptions():
    run = bare([build_cxx("exceptions")])
    assert run.status == 0, run.err
    assert len(run.named("fork")) == 20 and "SUMMARY" in run.err, run.err


def test_exceptions_of_a_loaded_library():
    """Where libstdc++ is not in the global scope, the library's own one throws."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "thrown.so"
        execute(["g++", "-O1", "-shared", "-fPIC", "-o", library, PROGRAMS / "thrown.cpp"])
        command = [build_program("thrower"), library]
        assert plain(command).status == 0
        run = bare(command)
        assert run.status == 0 and len(run.named("fork")) == 1, run.err
        for mode in ("off", "learn", "auto"):
            run = driven(command, f"--redirect={mode}")
            assert run.status == 0 and len(run.named("fork")) == 1, run.err
        sites = Path(folder) / "sites"
        sites.write_text("allow thrower main\n")
        run = driven(command, "--redirect=listed", "--sites", sites)
        assert run.status == 0, run.err
        assert [e["reason"] for e in run.named("redirect")] == ["called __cxa_throw"], run.named("redirect")


def test_descriptor_limit_reached():
    code = f"ulimit -n 3; exec {build_program('idle_threads')}"
    run = execute(["bash", "-c", code], env=environment())
    with_library = bare(["bash", "-c", code])
    assert with_library.status == run.returncode, with_library.err


def test_static_and_musl_programs():
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "main.c"
        source.write_text("int main(void) { return 5; }\n")
        static = Path(folder) / "static"
        subprocess.run(["gcc", "-static", "-o", str(static), str(source)], check=True)
        run = bare(["bash", "-c", f"{static}; exit $?"])
        assert run.status == 5
        assert [e["why"] for e in run.named("blind")] == ["statically linked"], run.events
        musl = Path(folder) / "musl"
        if execute(["musl-gcc", "-o", musl, source] if find_tool("musl-gcc") else ["false"]).returncode:
            raise Skip("musl-gcc is not installed")
        run = bare(["bash", "-c", f"{musl}; exit $?"])
        assert run.status == 5, (run.status, run.err)
        assert "musl" in run.named("blind")[0]["why"], run.events


def find_tool(name):
    return shutil.which(name)


def test_first_process_of_a_namespace():
    """No helper of ours may be the first process there: its end would end the namespace."""
    program = build_program("new_namespace")
    if plain([program]).status == 77:
        raise Skip("no PID namespace can be made")
    run = bare([program])
    assert run.status == 0, (run.status, run.err)
    (fork,) = run.named("fork")
    assert fork["capture"] == "proc" and "PID namespace" in fork["capture_why"], fork


def test_process_that_ends_while_it_forks():
    """What it leaves behind must not keep its pipe open: then this would wait."""
    program = build_program("end_meanwhile")
    for microseconds in range(0, 400, 4):
        run = execute([program, microseconds], env=environment(LD_PRELOAD=str(LIBRARY)))
        assert run.returncode == 0, run.stderr
