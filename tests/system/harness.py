"""Runs programs without forkhound, with the bare library, and under the command."""

import json
import os
import signal
import subprocess
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = TOP / "build"
LIBRARY = BUILD / "preload/libforkhound.so"
COMMAND = BUILD / "cli/forkhound"
PROGRAMS = TOP / "tests/programs"
LIMIT = 120


class Run:
    def __init__(self, process, events=()):
        self.status = process.returncode
        self.out = process.stdout
        self.err = process.stderr
        self.events = list(events)

    def named(self, name):
        return [e for e in self.events if e["event"] == name]

    @property
    def first_forks(self):
        return [e for e in self.named("fork") if "same_as" not in e]


def environment(**more):
    env = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    env.update(more)
    return env


def execute(command, env=None, limit=LIMIT, **how):
    how.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([str(c) for c in command], env=env or environment(), timeout=limit,
                          text=True, errors="replace", stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, **how)


def plain(command, **how):
    return Run(execute(command, **how))


def read_events(path):
    try:
        return [json.loads(line) for line in Path(path).read_text().splitlines()]
    except FileNotFoundError:
        return []


def bare(command, options="", preload=None, **how):
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "events"
        env = environment(LD_PRELOAD=preload or str(LIBRARY),
                          FORKHOUND_OPTIONS=f"log_path={log}:{options}".rstrip(":"))
        process = execute(command, env=env, **how)
        return Run(process, read_events(log))


def driven(command, *options, **how):
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "events"
        process = execute([COMMAND, "run", "--log", log, *options, "--", *command], **how)
        return Run(process, read_events(log))


def driven_until_found(command, *options, limit=LIMIT, sent=signal.SIGKILL, **how):
    """Sends each process that is suspected the signal that ends it, or its wait, as soon as it is."""
    with tempfile.TemporaryDirectory() as folder:
        log, out, err = (Path(folder) / name for name in ("events", "out", "err"))
        how.setdefault("env", environment())
        with open(out, "w") as to_out, open(err, "w") as to_err, subprocess.Popen(
                [str(c) for c in (COMMAND, "run", "--log", log, "--time-limit", limit, *options, "--",
                                  *command)],
                stdin=subprocess.DEVNULL, stdout=to_out, stderr=to_err, **how) as process:
            ended = set()
            while process.poll() is None:
                text = log.read_text(errors="replace") if log.exists() else ""
                for line in text[:text.rfind("\n") + 1].splitlines():
                    event = json.loads(line) if '"suspect"' in line else {}
                    if event.get("event") == "suspect" and event["pid"] not in ended:
                        ended.add(event["pid"])
                        os.kill(event["pid"], sent)
                time.sleep(0.05)
        process.stdout, process.stderr = out.read_text(), err.read_text(errors="replace")
        return Run(process, read_events(log))


def build_program(name, *flags, compiler="gcc"):
    """The program, rebuilt when its source or a header is newer."""
    source = PROGRAMS / f"{name}.c"
    by = [] if compiler == "gcc" else [compiler]
    target = BUILD / "programs" / "-".join([name, *by, *(f.strip("-=") for f in flags)])
    newest = max(path.stat().st_mtime for path in (source, *PROGRAMS.glob("*.h")))
    if not target.exists() or target.stat().st_mtime < newest:
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([compiler, "-O1", "-g", "-D_GNU_SOURCE", "-pthread", *flags, "-o", str(target),
                        str(source), "-lutil"], check=True)
    return target


def build_library(name, *flags):
    """A shared library of the program's source, to be preloaded."""
    target = BUILD / "programs" / f"lib{name}.so"
    source = PROGRAMS / f"{name}.c"
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["gcc", "-O1", "-g", "-D_GNU_SOURCE", "-pthread", "-shared", "-fPIC", *flags,
                        "-o", str(target), str(source)], check=True)
    return target


def build_cxx(name, *flags):
    target = BUILD / "programs" / name
    source = PROGRAMS / f"{name}.cpp"
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["g++", "-O1", "-g", "-pthread", *flags, "-o", str(target), str(source)],
                       check=True)
    return target


def side_by_side(tests, at_once):
    """Tests that mostly wait, as one: name to function."""
    with ThreadPoolExecutor(at_once) as pool:
        running = {name: pool.submit(test) for name, test in tests.items()}
        failed = [f"{name}: {''.join(traceback.format_exception(e))}"
                  for name, e in ((n, r.exception()) for n, r in running.items()) if e]
    assert not failed, "\n".join(failed)


def truth_of(source):
    """The `key=value` words of the first comment."""
    words = source.read_text().splitlines()[0].split("truth:")[1].split()
    return dict(word.split("=") for word in words)
