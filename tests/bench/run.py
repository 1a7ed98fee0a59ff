"""Prints what the library costs as Markdown tables. All numbers are from one run on one machine: the
variants take turns, and a ratio is the median of the turns'. --quick: fewer turns, for a first look.
"""

import datetime
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
SOURCES = TOP / "tests/bench"
FLAGS = "-O2 -g -std=gnu11 -D_GNU_SOURCE -pthread -Wall -Wextra -Wshadow -Wconversion".split()
LIMIT = 120
DEBUGGERS = (  # name, command, the bar of its time / our added latency
    ("gdb", ["gdb", "-nx", "-batch", "-ex", "thread apply all bt", "-p"], 100),
    ("eu-stack", ["eu-stack", "-p"], 20),
    ("eu-stack -q", ["eu-stack", "-q", "-p"], 3),
)
START_LOOP = 'i=0; while [ $i -lt "$1" ]; do /bin/true; i=$((i+1)); done'


class Bench:
    def __init__(self, folder, quick):
        self.folder = folder
        self.quick = quick
        # A copy: a build meanwhile changes nothing.
        self.library = folder / "libforkhound.so"
        shutil.copy(TOP / "build/preload/libforkhound.so", self.library)
        self.empty = folder / "libempty.so"
        self.events = folder / "events"
        gcc = ["gcc", *FLAGS]
        subprocess.run([*gcc, "-shared", "-fPIC", "-o", self.empty, SOURCES / "empty.c"], check=True)
        for name in ("forks", "first_fork", "threads"):
            subprocess.run([*gcc, "-o", folder / name, SOURCES / f"{name}.c"], check=True)

    def environment(self, preload, events=False):
        env = {k: v for k, v in os.environ.items() if not k.startswith("FORKHOUND_")}
        env.update(LD_PRELOAD=str(preload))
        if events:
            env["FORKHOUND_EVENTS"] = str(self.events)
        return env

    def output(self, command, preload, events=False):
        self.events.unlink(missing_ok=True)
        return subprocess.run([str(c) for c in command], env=self.environment(preload, events),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=LIMIT, check=True, text=True).stdout

    def number(self, *how, **more):
        return int(self.output(*how, **more))

    def seconds(self, *how):
        begin = time.perf_counter()
        self.output(*how)
        return time.perf_counter() - begin


def take_turns(turns, *variants):
    """The results of each variant; every other turn is in the opposite order."""
    results = [[] for _ in variants]
    for turn in range(turns):
        order = range(len(variants))
        for i in order if turn % 2 == 0 else reversed(order):
            results[i].append(variants[i]())
    return results


def verdict(low, high, bar):
    return "met" if high <= bar else "**missed**" if low > bar else "unclear"


def ratio_row(name, unit, scale, ours, others, bar):
    """The interval holds the true median in 95 of 100 runs (as the notches of a box plot do)."""
    q1, ratio, q3 = statistics.quantiles([x / y for x, y in zip(ours, others)], n=4)
    notch = 1.57 * (q3 - q1) / len(ours) ** 0.5
    low, high = ratio - notch, ratio + notch
    print(f"| {name} | {statistics.median(ours) * scale:.1f} {unit} "
          f"| {statistics.median(others) * scale:.1f} {unit} | {ratio:.3f} | {low:.3f} to {high:.3f} "
          f"| {min(ours) / min(others):.3f} "
          f"| {f'{bar} | {verdict(low, high, bar)}' if bar else '- | -'} |", flush=True)


def overhead(bench):
    print("| measure | library | without | ratio | interval | fastest turns | bar | |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")

    few = bench.quick
    forks = 200 if few else 500
    command = [bench.folder / "forks", forks, 0]
    ours, others, again = take_turns(10 if few else 60,
                                     lambda: bench.number(command, bench.library),
                                     lambda: bench.number(command, bench.empty),
                                     lambda: bench.number(command, bench.empty))
    ratio_row("fork and wait, one thread", "us", 1e-3 / forks, ours, others, 1.02)
    ratio_row("(noise: the same without the library, twice)", "us", 1e-3 / forks, again, others, None)

    starts = 100 if few else 200
    command = ["/bin/sh", "-c", START_LOOP, "sh", starts]
    ours, others = take_turns(6 if few else 30, lambda: bench.seconds(command, bench.library),
                              lambda: bench.seconds(command, bench.empty))
    ratio_row("start `true` from a shell loop", "us", 1e6 / starts, ours, others, 1.05)

    command = [bench.folder / "forks", 2000, 8]
    ours, alone, others = take_turns(2 if few else 9,
                                     lambda: bench.number(command, bench.library, events=True),
                                     lambda: bench.number(command, bench.library),
                                     lambda: bench.number(command, bench.empty))
    ratio_row("2,000 forks at one place, 8 threads, events", "us", 1e-3 / 2000, ours, others, 1.05)
    ratio_row("the same, no events", "us", 1e-3 / 2000, alone, others, None)

    count = 5000
    command = [bench.folder / "threads", count]
    ours, others = take_turns(8 if few else 40, lambda: bench.number(command, bench.library),
                              lambda: bench.number(command, bench.empty))
    ratio_row("pthread_create and pthread_join", "us", 1e-3 / count, ours, others, 1.2)

    def private(preload):
        rollup = bench.output(["/bin/cat", "/proc/self/smaps_rollup"], preload)
        return sum(int(n) for n in re.findall(r"^Private_(?:Clean|Dirty): +(\d+) kB", rollup, re.M))

    ours, others = (statistics.median(r) for r in take_turns(
        5, lambda: private(bench.library), lambda: private(bench.empty)))
    more = ours - others
    print(f"| private memory, one thread | {ours:.0f} KiB | {others:.0f} KiB | +{more:.0f} KiB | | "
          f"| 256 KiB | {verdict(more, more, 256)} |\n", flush=True)


def first_fork(bench, threads, preload, debuggers=()):
    """Nanoseconds of fork(), the fork event, and the seconds of each debugger on the process."""
    bench.events.unlink(missing_ok=True)
    with subprocess.Popen([bench.folder / "first_fork", str(threads)], text=True,
                          env=bench.environment(preload, events=True), stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        took = int(process.stdout.readline())
        event = None
        if bench.events.exists():
            lines = [json.loads(line) for line in bench.events.read_text().splitlines()]
            event = next(e for e in lines if e["event"] == "fork")
        seconds = {}
        for name, command, _ in debuggers:
            begin = time.perf_counter()
            subprocess.run([*command, str(process.pid)], stdin=subprocess.DEVNULL, timeout=LIMIT,
                           env={**os.environ, "DEBUGINFOD_URLS": ""}, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, check=False)
            seconds[name] = time.perf_counter() - begin
        process.stdin.close()
    return took, event, seconds


def reports(bench):
    print("The first fork of a process whose other threads block ten calls deep in "
          "`pthread_cond_wait`, `nanosleep` and `read`;\nthe debuggers then look at the same process. "
          "In parentheses: their time / the latency that the library added to `fork()`.\n")
    bars = "".join(f" | {name} (bar {bar})" for name, _, bar in DEBUGGERS)
    print(f"| threads | fork() | with the library | added | capture | stopped{bars} |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for threads in (1, 10, 100, 1000):
        turns = (3 if threads < 1000 else 2) if bench.quick else 15 if threads < 1000 else 7
        left = [1 if bench.quick else 5 if threads < 1000 else 2]  # turns with the debuggers

        def ours():
            left[0] -= 1
            return first_fork(bench, threads, bench.library, DEBUGGERS if left[0] >= 0 else ())

        def others():
            return first_fork(bench, threads, bench.empty)

        with_library, without = take_turns(turns, ours, others)
        before = statistics.median(took for took, _, _ in without) / 1e3
        after = statistics.median(took for took, _, _ in with_library) / 1e3
        added = after - before
        events = [event for _, event, _ in with_library]
        stacks = [len(o["stack"]) for o in events[0]["others"]]
        assert len(stacks) >= min(threads, 999), f"{len(stacks)} stacks of {threads} threads"
        capture, stopped = (statistics.median(e[key] for e in events)
                            for key in ("capture_us", "stopped_us"))
        cells = []
        for name, _, bar in DEBUGGERS:
            took = statistics.median(s[name] for _, _, s in with_library if s) * 1e6
            met = "" if took / added >= bar else ", missed"
            cells.append(f"{took / 1e3:.0f} ms ({took / added:.{0 if took > 10 * added else 1}f}{met})")
        print(f"| {threads} | {before:.0f} us | {after:.0f} us | {added:.0f} us | {capture:.0f} us "
              f"| {stopped:.0f} us | {' | '.join(cells)} |", flush=True)


def first_line(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True,
                          stderr=subprocess.STDOUT).stdout.splitlines()[0]


def describe():
    cpu = re.search(r"^model name\s*: (.*)", Path("/proc/cpuinfo").read_text(), re.M)
    print(f"{datetime.date.today()}; {cpu[1] if cpu else platform.machine()}, "
          f"{os.cpu_count()} cores; Linux {platform.release()}; {' '.join(platform.libc_ver())};\n"
          f"{first_line('gdb', '--version')}; {first_line('eu-stack', '--version')}; "
          f"load {os.getloadavg()[0]:.1f} at the start.\n", flush=True)


def main():
    if sys.argv[1:] not in ([], ["--quick"]):
        sys.exit("usage: scripts/bench [--quick]")
    begin = time.monotonic()
    describe()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), len(sys.argv) > 1)
        overhead(bench)
        reports(bench)
    print(f"\nload {os.getloadavg()[0]:.1f} at the end, after {time.monotonic() - begin:.0f} s.")


main()
