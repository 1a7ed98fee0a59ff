"""Locks at unusual places, and unusual ways to wait for one: what the report names."""

import json
import os
import shutil
import signal
import subprocess

from harness import COMMAND, build_program, driven, driven_until_found, execute, side_by_side
from run import Skip

# What the program waits for to the kind, and whether its owner is known.
KINDS = {
    "mutex": ("pthread_mutex", True), "c11": ("pthread_mutex", True),
    "rwlock_read": ("pthread_rwlock", True), "rwlock_write": ("pthread_rwlock", True),
    # Readers have the lock, a writer waits: the number behind the word is none of a thread.
    "rwlock_preferring": ("pthread_rwlock", False),
    "condition": ("condition variable", False), "barrier": ("barrier", False),
    "mutex_timed": ("pthread_mutex", True), "rwlock_read_timed": ("pthread_rwlock", True),
    "rwlock_write_timed": ("pthread_rwlock", True),
}


def named(kind, place):
    name, owned = KINDS[kind]

    def test():
        run = driven_until_found([build_program("places"), kind, place], "--stuck-after", "0.5")
        timed = kind.endswith("_timed")
        (finding,) = run.named("suspect" if timed else "deadlock")
        assert run.status == (128 + signal.SIGKILL if timed else 66), (run.status, run.err)
        lock = finding["lock"]
        assert lock["kind"] == name and lock["address"] == run.out.strip(), (lock, run.out)
        owner = run.first_forks[0]["others"][0]["tid"] if owned else None
        assert lock.get("owner_tid") == owner, (lock, run.err)
        assert ("module" in lock) == (place == "program"), lock
        assert lock.get("symbol") == ("of_program" if place == "program" else None), lock
        assert "wait_in_child" in [f.get("function") for f in finding["stack"]], finding["stack"]
    return test


def test_kinds_at_places():
    build_program("places")
    tests = {f"{kind} program": named(kind, "program") for kind in KINDS}
    tests.update({f"{kind} {place}": named(kind, place) for place in ("heap", "mapped", "thread")
                  for kind in ("mutex", "rwlock_read", "condition", "barrier")})
    side_by_side(tests, 5)


def test_owner_of_an_inheriting_mutex_has_ended():
    """glibc waits for ever then, for a word of its own stack."""
    run = driven_until_found([build_program("places"), "inherits"], "--stuck-after", "0.5")
    (finding,) = run.named("deadlock")
    assert finding["lock"]["kind"] == "pthread_mutex whose owner has ended", finding["lock"]
    assert "module" not in finding["lock"] and "owner_tid" not in finding["lock"], finding["lock"]
    assert "has ended without unlocking it" in run.err, run.err


def test_program_of_clang():
    """Its debug information has no table of addresses."""
    if not shutil.which("clang"):
        raise Skip("clang is not installed")
    program = build_program("places", compiler="clang")
    run = driven([program, "mutex", "program"], "--stuck-after", "0.5")
    (finding,) = run.named("deadlock")
    for stack in (finding["stack"], run.first_forks[0]["site"]):
        own = [f for f in stack if f.get("module") == str(program) and f["function"] != "_start"]
        assert own and all(f["file"].endswith("places.c") and f["line"] for f in own), stack


def diagnosed(program, kind):
    """The finding about a program that the library cannot be loaded into."""
    with subprocess.Popen([str(program), kind, "heap"], stdout=subprocess.PIPE, text=True,
                          start_new_session=True) as process:
        try:
            address = process.stdout.readline().strip()
            for _ in range(20):  # the program may not have forked yet
                run = execute([COMMAND, "diagnose", "--json", "--stuck-after", "0.3", process.pid])
                if run.stdout:
                    break
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    return json.loads(run.stdout), address


def test_static_program():
    """Its C library's functions are its own: told by their names or, stripped, by the words."""
    program = build_program("places", "-static-pie")
    stripped = program.with_name("places-stripped")
    subprocess.run(["strip", "-o", str(stripped), str(program)], check=True)
    for kind, (name, owned) in KINDS.items():
        if kind.endswith("_timed"):
            continue
        finding, address = diagnosed(program, kind)
        lock = finding["lock"]
        assert (lock["kind"], lock["address"]) == (name, address), (kind, finding)
        assert ("owner_tid" in lock) == owned and finding["event"] == "deadlock", (kind, finding)
    for kind, name in (("mutex", "pthread_mutex"), ("barrier", "futex"), ("condition", "futex")):
        finding, _ = diagnosed(stripped, kind)
        assert finding["lock"]["kind"] == name, (kind, finding)

