"""What strace says of the forks of a run, and whether forkhound says the same."""

import re
import tempfile
from pathlib import Path

from harness import COMMAND, Run, execute, read_events

CALLS = "fork,vfork,clone,clone3,execve,execveat,exit,exit_group"


class Fork:
    def __init__(self, parent, most):
        self.parent = parent  # process
        self.child = None
        self.most = most      # tasks not reported as ended yet
        self.least = 0        # of them those that have not begun to end
        self.execs = False    # of the child itself, before it ended


class Trace:
    """The fork-like calls in the output of `strace -f`; threads and vforks are not among them."""

    def __init__(self, text):
        self.process = {}   # of each live task
        self.ending = set()
        self.forks = []
        self.waiting = {}   # task in a fork: what it will have been
        self.of_child = {}
        self.over = set()   # ended before the call that made them was seen to return
        for line in text.splitlines():
            tid, what = re.match(r"(\d+) +(.*)", line).groups()
            self.line(int(tid), what)

    def alive(self, process):
        return [t for t, p in self.process.items() if p == process]

    def line(self, tid, what):
        self.process.setdefault(tid, tid)
        resumed = re.match(r"<\.\.\. (\w+) resumed>(.*)", what)
        call = resumed.group(1) if resumed else what.split("(")[0]
        result = re.search(r"\) += (\d+)(?: |$)", what)
        result = int(result.group(1)) if result else None
        if what.startswith("+++"):
            self.over.add(tid)
            self.process.pop(tid, None)
            self.ending.discard(tid)
        elif call in ("exit", "exit_group"):
            self.ending.add(tid)
        elif call in ("fork", "vfork", "clone", "clone3"):
            self.clone(tid, call, what, result, bool(resumed))
        elif call in ("execve", "execveat") and result == 0:
            self.executed(tid)

    def clone(self, tid, call, what, result, resumed):
        if not resumed:
            process = self.process[tid]
            tasks = self.alive(process)
            fork = Fork(process, len(tasks))
            fork.least = len([t for t in tasks if t not in self.ending or t == tid])
            self.waiting[tid] = (fork, what)
        fork, entry = self.waiting[tid]
        flags = entry + what if resumed else what
        if result is None:
            return
        del self.waiting[tid]
        if result not in self.over:
            self.process[result] = fork.parent if "CLONE_THREAD" in flags else result
        self.over.discard(result)
        if "CLONE_THREAD" in flags:
            return
        if call == "vfork" or "CLONE_VM" in flags or not result:
            return
        fork.child = result
        fork.execs = result in self.of_child
        self.of_child[result] = fork
        self.forks.append(fork)

    def executed(self, tid):
        """The other threads are no more; the calling one has the process's number now."""
        process = self.process[tid]
        for task in self.alive(process):
            if task != process:
                del self.process[task]
        self.process[process] = process
        if process in self.of_child:
            self.of_child[process].execs = True
        self.of_child.setdefault(process, Fork(0, 0))


def judged(command, *options, limit=120, **how):
    """A run under the command, itself under strace: (Run, the multithreaded forks as strace saw them).

    Each of those is an event with its process, child, thread count and outcome, and none else is.
    """
    with tempfile.TemporaryDirectory() as folder:
        log, trace = Path(folder) / "log", Path(folder) / "trace"
        process = execute(["strace", "-f", "-e", f"trace={CALLS}", "-e", "signal=none", "-o", trace,
                           COMMAND, "run", "--log", log, *options, "--", *command],
                          limit=limit, **how)
        run = Run(process, read_events(log))
        truth = Trace(trace.read_text(errors="replace"))
    compare(run, truth)
    return run, [f for f in truth.forks if f.least > 1]


def compare(run, truth):
    told = {e["child"]: e for e in run.named("fork") if e["threads"] > 1}
    execs = {e["pid"] for e in run.named("exec")}
    for fork in truth.forks:
        event = told.pop(fork.child, None)
        where = (fork.parent, fork.child, fork.least, fork.most, fork.execs, event)
        if event is None:
            assert fork.least < 2, ("not told", where, run.err)
            continue
        assert event["pid"] == fork.parent, where
        assert fork.least <= event["threads"] <= fork.most, where
        assert (fork.child in execs) == fork.execs, ("exec", where)
    assert not told, ("no such fork", told)
