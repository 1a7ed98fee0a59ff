"""What Python programs meet: locks of every kind, the pools, packages that start threads."""

import os
import re
import sys

from harness import PROGRAMS, driven
from run import Skip
from test_python import NEWEST, OLDEST, interpreters, line_of, minor_of

WAITS = "python_waits.py"


def readable():
    return {n: p for n, p in interpreters().items() if OLDEST <= minor_of(n) <= NEWEST}


def findings(run):
    return run.named("deadlock") + run.named("suspect")


def waits(path, times):
    """Each kind of lock, in the form that hangs and in one whose wait ends, all at once."""
    def test():
        run = driven([path, PROGRAMS / WAITS, times], "--time-limit", "120")
        assert run.status == 66 and not run.named("suspect"), (run.status, run.err[-3000:])
        children = {int(pid): (kind, form) for pid, kind, form in
                    (line.split() for line in run.out.splitlines())}
        assert len(children) > 30 * times
        hanging = {pid: kind for pid, (kind, form) in children.items() if form == "hangs"}
        found = [e["pid"] for e in run.named("deadlock")]
        assert sorted(found) == sorted(hanging), (
            [kind for pid, kind in hanging.items() if pid not in found],
            [children[pid] for pid in found if pid not in hanging])
        ended = {e["pid"]: e.get("status") for e in run.named("exit")}
        assert all(ended[pid] == 0 for pid in set(children) - set(hanging)), ended
        forks = line_of(WAITS, "here it forks")
        for pid, kind in hanging.items():
            place = rf"at .*{WAITS}:{line_of(WAITS, f'{kind} waits')} in [\w<>.]+, "
            forked = rf"forked at .*{WAITS}:{forks} in main: child {pid} of"
            assert re.search(rf"^SUMMARY: forkhound: deadlock {place}{forked}|child {pid} of .* too, "
                             rf"{place}as child", run.err, re.M), (kind, run.err[-3000:])
        assert run.err.count("SUMMARY: forkhound: deadlock") <= 2 * len(set(hanging.values()))
    return test


def generated():
    tests = {}
    for name, path in readable().items():
        tests[f"test_waits_{name}"] = waits(path, 1)
        if "--full" in sys.argv:
            tests[f"test_twenty_waits_{name}"] = waits(path, 20)
    return tests
