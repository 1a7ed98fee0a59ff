"""Forks carried out as posix_spawn does, against real ones: what a program can observe is the same."""

import itertools
import tempfile

from harness import build_program, driven, plain, side_by_side

PREPARE = ("none", "group", "terminal_group", "session", "terminal", "ids", "limits", "descriptors",
           "signals", "environment")
BORROWED = ("exec", "facts", "exec_fails", "status", "killed")
BECOME_REAL = {
    "setenv": "called setenv", "exit": "called exit", "crash": "got a signal",
    "abort": "called abort", "raise": "called raise", "printf": "called ", "thread":
    "called pthread_create", "terminated": "got a signal", "signalled": "got a signal",
    "forks": "called fork", "spins": "did not exec for 200 ms",
    "returns": "returned from the function that called fork()",
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
