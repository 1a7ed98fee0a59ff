"""The stacks of a later fork of a known place: unwound from what the stuck child carries."""

from harness import PROGRAMS, bare, build_library, build_program, driven, environment, side_by_side
from test_python import NEWEST, OLDEST, interpreters, minor_of


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
    """The thread still waits in the parent where the child's memory says it waited."""
    run, finding = late_hang(0)
    assert {e["capture"] for e in run.named("fork")[1:]} == {"none"}
    owner = finding["owner"]
    assert "of" not in owner and owner["exact"] == "approximate" and owner["created_by"], owner
    assert "hold_late" in [frame.get("function") for frame in owner["stack"]], owner["stack"]
    assert "at the fork it was at" in run.err, run.err
    assert "unchanged" not in run.err[run.err.index("forkhound: DEADLOCK"):], run.err


def test_over_budget_and_gone_on():
    run = driven([build_program("late_hang"), 30, "leave"],
                 env=environment(FORKHOUND_OPTIONS="snapshot_budget=0"))
    (finding,) = run.named("deadlock")
    assert finding["owner"]["of"] == "parent", finding["owner"]
    report = run.err[run.err.index("forkhound: DEADLOCK"):]
    assert "at the fork it was not looked at; in the parent it is now at" in report, report
    assert "hold_no_more" in report and "unchanged" not in report, report


def test_over_budget_without_a_parent():
    """The stacks of the first fork are told as such."""
    program = build_program("late_orphan")
    run = driven([program], env=environment(FORKHOUND_OPTIONS="snapshot_budget=0"))
    (finding,) = run.named("deadlock")
    report = run.err[run.err.index("forkhound: DEADLOCK"):]
    assert "others" not in finding, finding
    assert "The other threads were not looked at at this fork, number 3 from its place." in report, report
    assert "stack of that earlier fork" in report and "unchanged" not in report, report


def native_at(number, budget):
    def test():
        run = driven([build_program("late_hang"), number], "--stuck-after", "0.5",
                     env=environment(FORKHOUND_OPTIONS=f"snapshot_budget={budget}"))
        (finding,) = run.named("deadlock")
        if number == 1:
            (owner,) = run.first_forks[0]["others"]
        else:
            owner = finding["owner"]
        functions = [frame.get("function") for frame in owner["stack"]]
        assert "hold_late" in functions and "hold_early" not in functions, (number, functions)
    return test


def python_at(python, number, options):
    def test():
        run = driven([python, PROGRAMS / "python_later_fork.py", number], "--stuck-after", "0.5",
                     env=environment(FORKHOUND_OPTIONS=options))
        (finding,) = run.named("deadlock")
        fork = next(e for e in run.named("fork") if e["id"] == finding["fork"])
        others = finding.get("others") or fork["others"]
        (holder,) = [o for o in others if "hold_late" in [f["function"] for f in o.get("python", [])]]
        report = run.err[run.err.index("forkhound: DEADLOCK"):]
        assert "not a Python thread" not in report and " in hold_late" in report, report[-3000:]
        assert "hold_early" not in report and "hold_no_more" not in report, report[-3000:]
        assert '"the holder"' in report, report[-3000:]
    return test


NUMBERS = (1, 2, 3, 30)


def test_native_lock_at_later_forks():
    build_program("late_hang")
    side_by_side({f"{n} {b}": native_at(n, b) for n in (*NUMBERS, 1000) for b in (0, 2, 100)}, 4)


def test_python_lock_at_later_forks():
    pythons = {n: p for n, p in interpreters().items() if OLDEST <= minor_of(n) <= NEWEST}
    tests = {f"{name} {n} {options}": python_at(path, n, options)
             for name, path in pythons.items() for n in NUMBERS
             for options in ("snapshot_budget=0", "snapshot_budget=100")}
    newest = max(pythons, key=minor_of)
    tests |= {f"{newest} {n} exact": python_at(pythons[newest], n, "capture=exact") for n in NUMBERS}
    side_by_side(tests, 4)


def test_python_lock_at_the_thousandth_fork():
    pythons = {n: p for n, p in interpreters().items() if OLDEST <= minor_of(n) <= NEWEST}
    side_by_side({name: python_at(path, 1000, "snapshot_budget=2") for name, path in pythons.items()}, 4)


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
