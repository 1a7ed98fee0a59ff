"""A child that a fault has ended: told by the parent, who waits for it."""

from harness import build_program, driven, plain


def test_each_way_to_wait():
    program = build_program("faults")
    for how in ("wait", "waitpid", "wait3", "wait4", "waitid", "null"):
        assert plain([program, how]).status == 0, how
        run = driven([program, how])
        assert run.status == 0, (how, run.status, run.err)
        children = [e["child"] for e in run.named("fork")]
        assert [(e["child"], e["signal"]) for e in run.named("fault")][:2] == list(zip(children, (11, 6))), run.err
        summary = run.err.splitlines()[-1]
        assert (f"; 2 children ended by a fault: child {children[0]} by SIGSEGV, forked at " in summary
                and "in fault_place, " in summary and f"child {children[1]} by SIGABRT" in summary), summary
