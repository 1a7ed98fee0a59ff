"""The stacks of a later fork of a known place: unwound from what the stuck child carries."""

from harness import bare, build_library, build_program, driven, environment


def late_hang(budget):
    run = driven([build_program("late_hang")],
                 env=environment(FORKHOUND_OPTIONS=f"snapshot_budget={budget}"))
    assert run.status == 66, (run.status, run.err)
    assert len(run.named("fork")) == 200 and len(run.first_forks) == 1, run.err
    (finding,) = run.named("deadlock")
    return run, finding


def test_later_fork():
    run, finding = late_hang(100)
    last = run.named("fork")[-1]
    assert last["id"] == finding["fork"] and last["capture"] == "ptrace" and last["evidence"], last
    owner = finding["owner"]
    assert owner["tid"] == finding["lock"]["owner_tid"] and owner["thread"] == "holder", owner
    assert owner["exact"] == "unchanged" and owner["created_by"], owner
    functions = [frame.get("function") for frame in owner["stack"]]
    assert "hold_late" in functions and "hold_early" not in functions, functions
    assert "at the fork it was at" in run.err and "hold_late" in run.err, run.err


def test_over_budget():
    run, finding = late_hang(0)
    assert {e["capture"] for e in run.named("fork")[1:]} == {"none"}
    assert "owner" not in finding, finding
    assert "at the first fork from this place it was at" in run.err, run.err


def test_threads_are_those_of_the_process():
    """Two processes fork at one place: what is told of the second are its own threads."""
    run = driven([build_program("two_processes")])
    assert run.status == 66 and "2 multithreaded forks from 1 site:" in run.err, run.err
    (finding,) = run.named("deadlock")
    assert finding["owner"]["thread"] == "owner", finding["owner"]
    report = run.err[run.err.index("forkhound: DEADLOCK"):]
    assert '"owner" held the lock; at the fork it was at' in report and '"other"' not in report, report


def test_new_group():
    """Threads of another library than at the first fork of the place: told anew, by both."""
    command = [build_program("new_group"), build_library("make_thread")]
    run = driven(command)
    first, second, third = run.named("fork")
    groups = [{g["module"] for g in e.get("groups", [])} for e in (first, second)]
    assert groups == [{"new_group"}, {"new_group", "libmake_thread.so"}], groups
    assert third["same_as"] == second["id"] and third["threads"] == 2, third
    assert run.err.count("forkhound: HAZARD: thread") == 2, run.err
    assert bare(command).err.count("forkhound: HAZARD") == 2
