"""Forks in threads made by pthread_create(): the place is the program's own function, at any depth."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from harness import BUILD, PROGRAMS, bare, build_cxx, build_program, driven
from run import Skip


def stripped(program):
    target = program.with_name(f"{program.name}-stripped")
    subprocess.run(["strip", "-o", str(target), str(program)], check=True)
    return target


def check_places(run, program, depth, names=("first_place", "second_place")):
    """Two places, and all frames of the program: the place, depth + 1 calls and the routine."""
    assert len(run.first_forks) == 2, [e["id"] for e in run.first_forks]
    tops = set()
    for fork in run.first_forks:
        own = [f for f in fork["site"] if f["module"] == str(program)]
        assert len(own) == depth + 3 and fork["site"][0] == own[0], (depth, fork["site"])
        assert fork["site"][-1]["module"].endswith(("libc.so.6", "libpthread.so.0")), fork["site"]
        tops.add(own[0].get("function", own[0]["offset"]))
    assert len(tops) == 2 and (not names or tops == set(names)), tops


def test_depths():
    for optimization in ("-O0", "-O2"):
        program = build_program("thread_places", optimization, "-fno-optimize-sibling-calls",
                                "-fno-inline", "-fno-ipa-icf")
        for depth in range(16):
            run = driven([program, depth])
            check_places(run, program, depth)
            for name in ("first_place", "second_place"):
                summary = next(line for line in run.err.splitlines()
                               if line.startswith("SUMMARY:") and name in line)
                assert f"in {name}: child" in summary, summary
            alone = bare([program, depth])
            check_places(alone, program, depth, names=())
            assert alone.err.count("forkhound: HAZARD: ") == 2, alone.err


def test_stripped():
    program = stripped(build_program("thread_places", "-O2", "-fno-optimize-sibling-calls", "-fno-inline",
                                     "-fno-ipa-icf"))
    for depth in (0, 3, 15):
        check_places(driven([program, depth]), program, depth, names=())
        check_places(bare([program, depth]), program, depth, names=())


def test_suppression_by_function():
    program = build_program("thread_places")
    with tempfile.TemporaryDirectory() as folder:
        rules = Path(folder) / "rules"
        rules.write_text("hazard:first_place\n")
        run = driven([program], "--suppressions", rules)
        assert run.err.count("forkhound: HAZARD: ") == 1 and "in second_place: child" in run.err, run.err
        alone = bare([program], options=f"suppressions={rules}")
        assert alone.err.count("forkhound: HAZARD: ") == 1 and "second_place" in alone.err, alone.err


def test_redirected():
    program = build_program("thread_places")
    with tempfile.TemporaryDirectory() as folder:
        sites = Path(folder) / "sites"
        sites.write_text(f"allow {program.name} first_place\nallow {program.name} second_place\n")
        run = driven([program, 2, "exec"], "--redirect", "listed", "--sites", sites)
        assert all(e.get("redirected") for e in run.named("fork")), run.err
        check_places(run, program, 2)


def test_entries():
    for flags in (("-O0",), ("-O2", "-fno-inline", "-fno-optimize-sibling-calls")):
        program = build_program("thread_entries", *flags)
        for entry in ("fork", "_Fork", "clone", "forkpty", "daemon", "libc"):
            run = driven([program, entry])
            (fork,) = run.first_forks
            names = [f.get("function") for f in fork["site"]]
            assert "the_place" in names and "start_thread" in names, (entry, names)
            assert entry == "libc" or names[0] == "fork_by_entry", (entry, names)
            assert "in fork_by_entry: child" in run.err, (entry, run.err)


def test_deadlock_names_the_place():
    run = driven([build_program("thread_deadlock")], "--stuck-after", "0.3")
    (finding,) = run.named("deadlock")
    assert run.status == 66 and finding, run.err
    summary = next(line for line in run.err.splitlines() if line.startswith("SUMMARY: forkhound: deadlock"))
    assert "in the_place" in summary and "start_thread" not in summary, summary


def test_cxx():
    run = driven([build_cxx("cxx_thread_place")])
    (fork,) = run.first_forks
    assert "first_place" in fork["site"][0]["function"], fork["site"]


def test_rust():
    if not shutil.which("rustc"):
        raise Skip("rustc is not installed")
    program = BUILD / "programs/rust_thread_place"
    program.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["rustc", "-g", "-o", str(program), str(PROGRAMS / "rust_thread_place.rs")], check=True)
    run = driven([program])
    (fork,) = run.first_forks
    assert "first_place" in fork["site"][0]["function"], fork["site"]
