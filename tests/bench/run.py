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

from jobs import jobs
from table import ratio_row, take_turns, verdict

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
        self.command = TOP / "build/cli/forkhound"
        for name in ("forks", "first_fork", "threads", "children", "spawns"):
            subprocess.run([*gcc, "-o", folder / name, SOURCES / f"{name}.c"], check=True)

    def environment(self, preload, events=False, options=""):
        env = {k: v for k, v in os.environ.items() if not k.startswith("FORKHOUND_")}
        env.update(LD_PRELOAD=str(preload))
        if options:
            env["FORKHOUND_OPTIONS"] = options
        if events:
            env["FORKHOUND_EVENTS"] = str(self.events)
        return env

    def output(self, command, preload, events=False, options=""):
        self.events.write_bytes(b"")  # as the command, which makes it, does
        return subprocess.run([str(c) for c in command],
                              env=self.environment(preload, events, options),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=LIMIT, check=True, text=True).stdout

    def number(self, *how, **more):
        return int(self.output(*how, **more))

    def seconds(self, *how):
        begin = time.perf_counter()
        self.output(*how)
        return time.perf_counter() - begin


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


def run_command(bench, *command, **how):
    """`forkhound run`, with the copy of the library."""
    env = bench.environment("")
    del env["LD_PRELOAD"]
    env["FORKHOUND_LIBRARY"] = str(bench.library)
    return subprocess.Popen([str(c) for c in (bench.command, "run", *command)], env=env, text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **how)


def used_ns(pid):
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def watching_percent(bench, count, how, seconds):
    """Of one core, that the command uses while that many children live."""
    with run_command(bench, "-q", "--", bench.folder / "children", count, how,
                     stderr=subprocess.DEVNULL) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(3)  # the forks have been reported
        begin, used = time.monotonic(), used_ns(process.pid)
        time.sleep(seconds)
        percent = (used_ns(process.pid) - used) / (time.monotonic() - begin) / 1e7
        process.terminate()
        process.stdout.read()
    return percent


def latency_ms(bench):
    """From when the child gets stuck to when the report can be read."""
    with run_command(bench, "--", bench.folder / "children", 1, "stuck",
                     stderr=subprocess.PIPE) as process:
        stuck = int(process.stdout.readline())
        for line in process.stderr:
            if "SUMMARY: forkhound: deadlock" in line:
                break
        told = time.time_ns()
        process.stderr.read()
    return (told - stuck) / 1e6


def watching(bench):
    few = bench.quick
    print("\n| the command | measured | bar | |\n| --- | --- | --- | --- |")
    for count, how, bar in ((100, "pause", 1), (100, "read", 1), (1000, "read", None)):
        percent = watching_percent(bench, count, how, 5 if few else 20)
        print(f"| watches {count:,} children in `{how}()` | {percent:.2f} % of a core "
              f"| {f'{bar} % | {verdict(percent, percent, bar)}' if bar else '- | -'} |", flush=True)
    took = [latency_ms(bench) for _ in range(5 if few else 20)]
    median = statistics.median(took)
    print(f"| stuck to reported, median of {len(took)} (longest {max(took):.0f} ms) | {median:.0f} ms "
          f"| 1200 ms | {verdict(median, median, 1200)} |", flush=True)

    def start(*command):
        begin = time.perf_counter()
        subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL, check=True)
        return (time.perf_counter() - begin) * 1e3

    turns = 40 if few else 200
    ours, others = take_turns(turns, lambda: start(bench.command, "run", "--", "/bin/true"),
                              lambda: start("/bin/true"))
    more = statistics.median(ours) - statistics.median(others)
    print(f"| `forkhound run true` - `true`, medians of {turns} | {more:.1f} ms | 5 ms "
          f"| {verdict(more, more, 5)} |\n", flush=True)


def redirected(bench):
    """fork and exec of a large process: real, as posix_spawn does it, and posix_spawn itself."""
    sites = bench.folder / "sites"
    sites.write_text("allow spawns start\n")
    print("fork and exec of `true` in a process with two threads, the library in all; microseconds "
          "until the call returned / until the\nchild had ended; the ratios are of the latter.\n")
    print("| pages of 4 KiB | real fork | redirected | posix_spawn | redirected / posix_spawn "
          "| bar | | redirected / at 10 MB | bar | |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    smallest = None
    for mib, name in ((10, "10 MB"), (1024, "1 GB"), (4096, "4 GB")):
        def run(how, count, options=""):
            command = [bench.folder / "spawns", mib, count, how]
            return [int(n) / 1e3 for n in bench.output(command, bench.library, options=options).split()]

        few = 5 if mib > 1000 else 50
        turns = 2 if bench.quick else 5
        real, ours, spawn = take_turns(
            turns, lambda: run("fork", few), lambda: run("fork", 100, f"redirect=listed:sites={sites}"),
            lambda: run("spawn", 100))
        cells = [[min(column) for column in zip(*results)] for results in (real, ours, spawn)]
        smallest = smallest or cells[1][1]
        to_spawn, to_small = cells[1][1] / cells[2][1], cells[1][1] / smallest
        bars = [f"{bar} | {verdict(ratio, ratio, bar)}" if name == "4 GB" else "- | -"
                for ratio, bar in ((to_spawn, 1.25), (to_small, 2))]
        print(f"| {name} | {' | '.join(f'{call:.0f} / {end:.0f}' for call, end in cells)} "
              f"| {to_spawn:.2f} | {bars[0]} | {to_small:.2f} | {bars[1]} |", flush=True)
    print()


def learning(bench):
    print("The same process with real forks that are learned from; microseconds until fork() returned / "
          "until the child had ended:\nmedians of forks of which three more wait for the child. The bar is "
          "of what learning adds, in real forks.\n")
    print("| pages of 4 KiB | real fork | learning | added, call | added, end | bar | |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for mib, name in ((10, "10 MB"), (1024, "1 GB"), (4096, "4 GB")):
        command = [bench.folder / "spawns", mib, 15 if mib > 1000 else 50, "fork"]

        def run(options=""):
            return [int(n) / 1e3 for n in bench.output(command, bench.library, options=options).split()]

        real, ours = take_turns(2 if bench.quick else 5, run, lambda: run("redirect=learn"))
        cells = [[min(column) for column in zip(*results)] for results in (real, ours)]
        call, end = ((x - y) / y for x, y in zip(cells[1], cells[0]))
        print(f"| {name} | {' | '.join(f'{a:.0f} / {b:.0f}' for a, b in cells)} | {call:.2f} | {end:.2f} "
              f"| 1.5 | {verdict(max(call, end), max(call, end), 1.5)} |", flush=True)
    print()


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
        redirected(bench)
        learning(bench)
        watching(bench)
        jobs(bench)
        reports(bench)
    print(f"\nload {os.getloadavg()[0]:.1f} at the end, after {time.monotonic() - begin:.0f} s.")


main()
