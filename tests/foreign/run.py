#!/usr/bin/env python3
"""Runs test suites that others wrote, without forkhound and under it, and compares each verdict.

What Debian's archive has is fetched and built in --work (kept for the next time); what it has not is
taken from a checkout: --path ltp=DIR. A verdict that differs counts only if it differs again in a
second round, in which both sides run anew. Exit status: 1 where a verdict differs.
"""

import argparse
import ctypes
import datetime
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from sources import Absent
from suites import SUITES

TOP = Path(__file__).resolve().parents[2]
COMMAND = TOP / "build/cli/forkhound"
MODES = {  # name: what stands before the suite's own command
    "without": [],
    "run": [COMMAND, "run", "-q", "--fail-on", "never"],
    "auto": [COMMAND, "run", "-q", "--fail-on", "never", "--redirect", "auto"],
}


class Totals:
    """One suite in one mode."""

    def __init__(self):
        self.verdicts = {}
        self.wall = self.processor = 0.0
        self.events = Counter()
        self.left = []  # lines of forkhound's own trouble


def processor_seconds(usage):
    return usage.ru_utime + usage.ru_stime


def become_subreaper():
    """Daemons that a suite leaves come to us: what they used is counted, and they are ended."""
    PR_SET_CHILD_SUBREAPER = 36
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap_strays():
    """The processor time of what the suite left to us."""
    seconds, begin = 0.0, time.monotonic()
    while True:
        try:
            pid, _, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return seconds
        if pid:
            seconds += processor_seconds(usage)
            continue
        if time.monotonic() - begin > 5:
            for child in Path("/proc/thread-self/children").read_text().split():
                os.kill(int(child), signal.SIGKILL)
        time.sleep(0.05)


def run_case(case, mode, folder, totals):
    """All that the command forked and waited for is in its usage; orphans too, under forkhound."""
    prefix, log, output = MODES[mode], folder / "events", folder / "output"
    if prefix:
        prefix = [*prefix, "--log", log, "--time-limit", str(case.limit), "--"]
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONUNBUFFERED", "CI")} | case.env
    begin = time.monotonic()
    with open(output, "wb") as out:
        process = subprocess.Popen([str(a) for a in (*prefix, *case.command)], cwd=case.folder, env=env,
                                   stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                   start_new_session=True)
        end = threading.Timer(case.limit + 60, os.killpg, (process.pid, signal.SIGKILL))
        end.start()
        _, status, usage = os.wait4(process.pid, 0)
        end.cancel()
        process.returncode = status  # reaped: nothing is left to wait for
    totals.wall += time.monotonic() - begin
    totals.processor += processor_seconds(usage) + reap_strays()
    text = output.read_text(errors="replace")
    exited = os.waitstatus_to_exitcode(status)
    verdicts = case.verdicts(text, exited if exited >= 0 else 128 - exited)  # as a shell has it
    totals.verdicts.update({f"{case.name}: {name}": v for name, v in verdicts.items()})
    if prefix and log.exists():
        for line in log.read_text(errors="replace").splitlines():
            totals.events[json.loads(line)["event"]] += 1
        log.unlink()


def run_suite(cases, modes, folder):
    """The modes take turns, case by case, so that a slow minute of the machine meets them all."""
    totals = {mode: Totals() for mode in modes}
    for number, case in enumerate(cases):
        turn = number % len(modes)
        for mode in modes[turn:] + modes[:turn]:
            run_case(case, mode, folder, totals[mode])
    return totals


def differences(totals, modes):
    plain = totals["without"].verdicts
    for mode in modes:
        other = totals[mode].verdicts
        for name in sorted(plain.keys() | other.keys()):
            if plain.get(name) != other.get(name):
                yield mode, name, plain.get(name, "not run"), other.get(name, "not run")


def lasting_differences(cases, totals, modes, folder):
    """Those of the first round that a second round shows too."""
    first = {(mode, name): (a, b) for mode, name, a, b in differences(totals, modes)}
    if not first:
        return []
    again = [c for c in cases if any(name.startswith(f"{c.name}: ") for _, name in first)]
    second = {(m, n) for m, n, _, _ in differences(run_suite(again, modes, folder), modes)}
    for (mode, name), (a, b) in first.items():
        word = "differs" if (mode, name) in second else "differed once"
        print(f"  {word}: {mode}: {name}: {a} without, {b} with", flush=True)
    return [key for key in first if key in second]


def print_row(table, name, totals, modes, lasting):
    plain = totals["without"]
    for mode in modes:
        t = totals[mode]
        passed = sum(v.split()[0] in ("ok", "pass") for v in t.verdicts.values())
        ratio = lambda a, b: f"{a / b:.2f}" if b else "-"
        found = f"{t.events['deadlock']} / {t.events['suspect']}" if MODES[mode] else "-"
        row = (f"| {name} | {mode} | {len(t.verdicts)} | {passed} | {sum(m == mode for m, _ in lasting)} "
               f"| {t.events['fork'] if MODES[mode] else '-'} | {found} "
               f"| {t.wall:.1f} s | {ratio(t.wall, plain.wall)} "
               f"| {t.processor:.1f} s | {ratio(t.processor, plain.processor)} |")
        print(row, flush=True)
        if table:
            table.write(row + "\n")
            table.flush()


HEAD = """| suite | mode | verdicts | passed | differ | forks with threads | deadlock / suspect | wall | ratio | processor | ratio |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"""


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("suite", nargs="*", metavar="SUITE", help=f"of {', '.join(SUITES)}; all if none")
    parser.add_argument("--mode", action="append", choices=list(MODES), help="besides `without`")
    parser.add_argument("--path", action="append", default=[], metavar="SUITE=DIR")
    parser.add_argument("--work", type=Path, default=TOP / "build-foreign")
    parser.add_argument("--table", type=Path, metavar="FILE", help="writes the Markdown table there too")
    given = parser.parse_args()
    unknown = [s for s in given.suite if s not in SUITES]
    if unknown:
        parser.error(f"unknown suite {unknown[0]!r}: expected one of {', '.join(SUITES)}")
    for path in given.path:
        name, _, folder = path.partition("=")
        if name not in SUITES or not Path(folder).is_dir():
            parser.error(f"--path: expected SUITE=DIR with a folder that exists, got {path!r}")
    return given


def main():
    given = options()
    modes = ["without", *(given.mode or ["run", "auto"])]
    paths = dict(path.split("=", 1) for path in given.path)
    work = given.work.resolve()
    (work / "run").mkdir(parents=True, exist_ok=True)
    os.environ["TMPDIR"] = str(work / "run")
    become_subreaper()
    table = open(given.table, "w") if given.table else None
    head = (f"{datetime.date.today()}; {os.cpu_count()} cores; Linux {platform.release()}; "
            f"{' '.join(platform.libc_ver())}; load {os.getloadavg()[0]:.1f} at the start.\n\n{HEAD}")
    print(head, flush=True)
    if table:
        table.write(head + "\n")
    bad = counted = 0
    for name in given.suite or SUITES:
        try:
            cases = SUITES[name](work, paths.get(name))
        except Absent as why:
            print(f"SKIP {name}: {why}", flush=True)
            continue
        totals = run_suite(cases, modes, work / "run")
        lasting = lasting_differences(cases, totals, modes, work / "run")
        print_row(table, name, totals, modes, lasting)
        bad += len(lasting)
        counted += len(totals["without"].verdicts)
    shutil.rmtree(work / "run", ignore_errors=True)
    print(f"foreign suites: {counted} verdicts compared, {bad} differ")
    return 1 if bad or not counted else 0


if __name__ == "__main__":
    sys.exit(main())
