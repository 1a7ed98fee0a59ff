"""Forks carried out as posix_spawn does, against real ones: what a program can observe is the same."""

import itertools
import os
import re
import tempfile
from pathlib import Path

from harness import (COMMAND, PROGRAMS, bare, build_program, driven, environment, execute, plain, read_events,
                     side_by_side)
from test_learn import REFUSED, SAFE, learn

PREPARE = ("none", "group", "terminal_group", "session", "terminal", "ids", "limits", "descriptors",
           "signals", "environment")
BORROWED = ("exec", "facts", "exec_fails", "status", "killed", "terminated")
BECOME_REAL = {
    "setenv": "called setenv", "exit": "called exit", "crash": "got a signal",
    "abort": "called abort", "raise": "called raise", "printf": "called ", "thread":
    "called pthread_create", "signalled": "got a signal",
    "forks": "called fork", "spawns": "called posix_spawn", "vforks": "called vfork", "spins": "did not exec for 200 ms",
    "returns": "returned from the function that called fork()",
}

REFUSALS = {
    "stack": "it runs on a stack that is not its thread's: a coroutine's, or a signal handler's",
    "deep": "more than 256 KiB of the stack are in use",
    "filter": "a seccomp filter does not allow it",
    "sequences": "a library uses restartable sequences",
}


def redirected(command, sites, *options, mode="listed", **how):
    """The command under `forkhound run --redirect`, with a file of these sites."""
    with tempfile.NamedTemporaryFile("w", suffix=".sites") as file:
        file.write("".join(f"{line}\n" for line in sites))
        file.flush()
        return driven(command, f"--redirect={mode}", "--sites", file.name, *options, **how)


def actions(run):
    return [(e["action"], e.get("reason")) for e in run.named("redirect")]


def compare(program, prepare, end):
    real = plain([program, prepare, end])
    run = redirected([program, prepare, end], ["allow redirect_same start"])
    assert real.status == run.status == 0, (real.status, run.status, real.err, run.err)
    assert len(real.out.splitlines()) > 40, real.out
    assert run.out == real.out, f"real:\n{real.out}\nredirected:\n{run.out}\n{run.err}"
    done = actions(run)
    if end in BORROWED:
        assert done == [("borrowed", None)], done
    else:
        assert len(done) == 1 and done[0][0] == "materialised", done
        assert done[0][1].startswith(BECOME_REAL[end]), done


def test_same_meaning():
    cases = [*itertools.product(PREPARE, ("exec", "facts", "exec_fails", "setenv")),
             *(("none", end) for end in BORROWED + tuple(BECOME_REAL)), ("crash_handler", "crash"),
             *(("watched", end) for end in ("exec", "exec_fails", "killed", "setenv", "exit", "crash"))]
    program = build_program("redirect_same")
    side_by_side({f"{p} {e}": lambda p=p, e=e: compare(program, p, e)
                  for p, e in dict.fromkeys(cases)}, 4)


CALLS = {
    "descriptors": "", "attributes": "", "mappings": "", "masks": "", "ids": "", "session": "", "family": "",
    "timers": "called timer_create", "memory": "called mlock", "shared": "called shmat",
    "namespaces": "called unshare", "filter": "called prctl", "signals_parent": "called kill",
    "raw_signals": "called syscall",
}
PLACES = ("ignored", "nowait", "pidfd", "elsewhere", "small", "handler", "alternate", "nested", "cancelled",
          "limit", "fails", "real", "traced", "orphans", "killed", "replaced")


def both_ways(command, sites):
    """What its runs print with forks that are real, in `auto` and `listed` mode is the same."""
    real = plain(command)
    runs = driven(command, "--redirect=auto"), redirected(command, sites)
    for run in runs:
        assert (run.status, run.out) == (real.status, real.out), (run.status, run.out, real.out, run.err)
    return runs


def test_calls_of_the_child():
    def check(kind, becomes_real):
        auto, listed = both_ways([program, kind, 6], ["allow redirect_calls start"])
        if becomes_real:
            assert "materialised" in dict(actions(listed)), actions(listed)
            assert becomes_real in dict(actions(listed))["materialised"], actions(listed)
        else:
            assert actions(auto) == [("learned", None)] * 3 + [("borrowed", None)] * 3, actions(auto)
            assert actions(listed) == [("borrowed", None)] * 6, actions(listed)

    program = build_program("redirect_calls")
    side_by_side({kind: lambda kind=kind, real=real: check(kind, real) for kind, real in CALLS.items()}, 2)


def test_places_of_the_fork():
    sites = ["allow redirect_places start", "allow redirect_places inner*"]
    program = build_program("redirect_places")
    side_by_side({how: lambda how=how: both_ways([program, how, 40 if how == "cancelled" else 6], sites)
                  for how in PLACES}, 2)


def many(threads, forks, how):
    program = build_program("redirect_many")
    run = redirected([program, threads, forks, how], ["allow redirect_many start"], "-q")
    assert run.status == 0, run.err
    assert run.out == ("wrong 0, descriptors +0, children none, grown by less than 4 MiB\n"), run.out
    return run


def test_ten_thousand():
    run = many(1, 10000, "exit")
    assert actions(run).count(("borrowed", None)) == 10001


def test_four_threads():
    assert actions(many(4, 250, "exec")).count(("borrowed", None)) == 1001
    assert "materialised" in dict(actions(many(4, 20, "real")))


def test_lock_of_the_time_zone():
    """Of real forks of this kind about every second child hangs."""
    run = many(1, 1000, "time")
    assert actions(run).count(("borrowed", None)) == 1001


def test_auto():
    """Of each safe place the first three forks are learned from; the program does what it does without."""
    def check(how):
        run = driven([program, how, "8"], "--redirect=auto")
        without = plain([program, how, "8"])
        assert (run.status, run.out) == (without.status, without.out) == (0, without.out), run.err
        assert actions(run) == [("learned", None)] * 3 + [("borrowed", None)] * 5, actions(run)

    program = learn()
    side_by_side({how: lambda how=how: check(how) for how in SAFE}, 2)


def test_auto_is_careful():
    def check(how, reason):
        run = driven([program, how, "6"], "--redirect=auto")
        without = plain([program, how, "6"])
        assert (run.status, run.out) == (without.status, without.out) == (0, without.out), run.err
        done = actions(run)
        assert "borrowed" not in dict(done) and "materialised" not in dict(done), done
        assert re.fullmatch(reason, dict(done)["refused"]), (reason, done)

    program = learn()
    side_by_side({how: lambda how=how, reason=reason: check(how, reason)
                  for how, reason in REFUSED.items()}, 2)


def test_auto_replaces_stuck_children():
    """So that a place is learned from, though about every second of its real children hangs."""
    program = build_program("redirect_many")
    run = driven([program, 1, 1000, "time"], "--redirect=auto", "-q", "--on-deadlock", "report")
    assert run.status == 0 and run.out.startswith("wrong 0, descriptors +0, children none"), run.out
    assert actions(run).count(("borrowed", None)) == 998, actions(run)[:9]


def test_learned_file_is_followed():
    program = build_program("redirect_many")
    with tempfile.TemporaryDirectory() as folder:
        sites = Path(folder) / "sites"
        driven([program, 1, 5, "exec"], "--redirect=learn", "--sites", sites)
        assert re.fullmatch(r"allow +redirect_many\+0x[0-9a-f]+ +start +# learned allow: 6 forks, all safe\n",
                            sites.read_text()), sites.read_text()
        run = driven([program, 1, 5, "exec"], "--redirect=listed", "--sites", sites)
        assert actions(run) == [("borrowed", None)] * 6, actions(run)
        sites.write_text(sites.read_text().replace("allow ", "deny ", 1))
        run = driven([program, 1, 5, "exec"], "--redirect=listed", "--sites", sites)
        assert [action for action, _ in actions(run)] == ["refused"], actions(run)


def test_without_a_driver():
    program = build_program("redirect_many")
    with tempfile.NamedTemporaryFile("w", suffix=".sites") as file:
        file.write("allow redirect_many st*\n")
        file.flush()
        run = bare([program, 1, 5, "exec"], f"redirect=listed:verbosity=1:sites={file.name}")
        assert run.status == 0 and run.out.startswith("wrong 0"), run.out
        assert re.fullmatch(r"forkhound: redirect: redirect_many\+0x[0-9a-f]+ start: is carried out as "
                            r"posix_spawn does\n", run.err), run.err
        run = bare([program, 1, 5, "real"], f"redirect=listed:sites={file.name}")
        assert run.err.count("forkhound: HAZARD: ") == 2, run.err  # become real; real
        assert [a for a, _ in actions(run)] == ["materialised", "refused"], actions(run)


def test_off_does_nothing():
    program = build_program("redirect_many")
    run = driven([program, 1, 2, "exec"])
    assert not run.named("redirect") and len(run.named("fork")) == 3, run.events


def test_without_clone3():
    run = redirected([build_program("no_clone3"), build_program("redirect_many"), 2, 2, "exec"],
                     ["allow redirect_many start"])
    assert run.status == 0 and run.out.startswith("wrong 0"), run.out
    assert actions(run) == [("unavailable", "clone3() is not to be had")], actions(run)
    assert run.err.count("forkhound: redirect: not available, forks are real: clone3()") == 1, run.err


def test_with_a_shadow_stack():
    """As the kernel would tell of one: this processor may have none."""
    here = build_program("shadow_stack")
    program = [build_program("redirect_many"), 1, 2, "exec"]
    with tempfile.TemporaryDirectory() as folder:
        for mode, said in (("listed", [("unavailable", "the shadow stack is on")]),
                           ("learn", [("learned", "it has a shadow stack")])):
            log, sites = Path(folder) / mode, Path(folder) / "sites"
            sites.write_text("allow redirect_many start\n")
            run = execute([here, COMMAND, "run", "--log", log, f"--redirect={mode}", "--sites", sites, "--",
                           *program])
            assert run.returncode == 0 and run.stdout.startswith("wrong 0"), (run.returncode, run.stderr)
            assert [(e["action"], e["reason"]) for e in read_events(log) if e["event"] == "redirect"] == said


def test_refusals():
    """Once for each place and reason; the results are those of real forks."""
    for how, reason in REFUSALS.items():
        flags = ["-DSEQUENCES"] if how == "sequences" else []
        run = redirected([build_program("redirect_refused", *flags), how],
                         ["allow redirect_refused start", "allow redirect_refused-DSEQUENCES start"],
                         env=environment(FORKHOUND_OPTIONS="capture=off"))
        assert run.status == 0, (how, run.err)
        assert actions(run) == [("refused", reason)], (how, actions(run))
    if os.geteuid() == 0:  # another user may not make a PID namespace
        run = redirected([build_program("redirect_refused"), "namespace"],
                         ["allow redirect_refused start"],
                         env=environment(FORKHOUND_OPTIONS="capture=off"))
        assert run.status == 0 and actions(run) == [
            ("refused", "children are in another PID namespace")], (actions(run), run.err)
    run = redirected([build_program("redirect_refused"), "area"], ["allow redirect_refused start"])
    assert run.status == 0 and actions(run) == [
        ("unavailable", "restartable sequences are not registered the way libc says")], actions(run)


def test_another_library_at_the_same_address():
    """It is a place of its own: nothing that is known of the one that was unloaded holds for it."""
    with tempfile.TemporaryDirectory() as folder:
        libraries = [Path(folder) / name for name in ("first.so", "other.so")]
        for library, flags in zip(libraries, ([], ["-DWRITES"])):
            execute(["gcc", "-O1", "-shared", "-fPIC", "-DPLUGIN", *flags, "-o", library,
                     PROGRAMS / "redirect_plugins.c"])
        both_ways([build_program("redirect_plugins"), 6, *libraries], ["allow first.so plugin_run"])
        assert plain([build_program("redirect_plugins"), 1, *libraries]).out.startswith("the same address 1")


def test_sanitizers_are_left_alone():
    """Copies of a stack would be reads that AddressSanitizer reports."""
    for kind in ("address", "thread"):
        program = build_program("redirect_places", f"-fsanitize={kind}")
        env = environment(ASAN_OPTIONS="verify_asan_link_order=0:detect_leaks=0")
        run = redirected([program, "nested", 3], [f"allow {program.name} inner*"], env=env)
        assert run.status == 0 and run.out == plain([program, "nested", 3]).out, (kind, run.out, run.err)
        assert actions(run) == [("unavailable", "the program is built with a sanitizer")], (kind, actions(run))
        run = driven([program, "nested", 3], "--redirect=learn", env=env)
        assert run.status == 0, (kind, run.err)
        assert actions(run) == [("learned", "the program is built with a sanitizer")], (kind, actions(run))


def test_fork_handlers_are_not_the_child():
    """Those of jemalloc make its locks anew in the child of a real fork; in a borrowed one none runs."""
    program = build_program("redirect_many")
    run = driven([program, 1, 5, "exec"], "--redirect=auto",
                 env=environment(LD_PRELOAD="libjemalloc.so.2"))
    assert run.status == 0 and run.out.startswith("wrong 0"), run.out
    assert actions(run) == [("learned", None)] * 3 + [("borrowed", None)] * 3, actions(run)


def test_threads_that_fork_at_once_are_learned_from():
    """What one of them knows of the other's frame is ours only, but for some moments."""
    program = build_program("redirect_many")
    runs = [[e["verdict"] for e in driven([program, 2, 6, "exec"], "--redirect=learn").named("redirect")]
            for _ in range(5)]
    assert sum("deny" not in run for run in runs) >= 2, runs


def test_lessons_wait_for_their_turn():
    """The registers of all other threads are taken for one lesson at a time. A thread that ends has none."""
    program = build_program("redirect_many")
    runs = [actions(driven([program, 8, 4, "exec"], "--redirect=learn")) for _ in range(6)]
    assert all(runs) and sum(
        ("learned", "not every other thread could be stopped") in run for run in runs) <= 3, runs


def test_help_and_bad_options():
    shown = plain([COMMAND, "run", "--redirect=help"])
    assert shown.status == 0 and "libjava.so Java_java_lang_ProcessImpl_forkAndExec" in shown.out
    alone = bare(["/bin/true"], "redirect=help")
    assert alone.status == 0 and alone.err == shown.out, alone.err
    bad = plain([COMMAND, "run", "--redirect=sometimes", "true"])
    assert bad.status == 125 and bad.err == (
        "forkhound: run: --redirect: expected off, learn, listed, auto or help, got 'sometimes'\n"), bad.err


def test_frames():
    """The return address of the function that forks is found in each frame, or the fork is refused."""
    program = build_program("redirect_frames")
    for kind in ("fixed", "grows", "realigned"):
        for how in ([], ["returns"]):
            run = redirected([program, kind, *how], [f"allow redirect_frames {kind}"], "-q")
            assert run.status == 0 and run.out == "wrong 0\n", (kind, how, run.out)
            done = actions(run)
            if kind == "realigned":
                assert done == [("refused", "the frame that calls fork() cannot be found")], done
            elif how:
                assert [action for action, _ in done] == ["materialised", "refused"], (kind, done)
            else:
                assert done == [("borrowed", None)] * 12, (kind, done)
