"""Whatever a program writes into the events: the command's memory has a limit, and what is left out is said."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import COMMAND, TOP, build_program, driven
from run import Skip

MOST_MIB = 256
FULL = "--full" in sys.argv
SANITIZED = TOP / "build-asan/cli/forkhound"


def measured(command):
    """(MiB at most, status, stdout, stderr). Its own peak: that of a child of ours begins with our size."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen([str(c) for c in command], stdout=out, stderr=err, stdin=subprocess.DEVNULL)
        peak = 0
        while process.poll() is None:
            try:
                text = Path(f"/proc/{process.pid}/status").read_text()
                peak = max(peak, int(text.split("VmHWM:")[1].split()[0]))
            except (IndexError, OSError):
                pass
        out.seek(0), err.seek(0)
        return peak / 1024, process.returncode, out.read().decode(), err.read().decode(errors="replace")


def fork_event(number, **more):
    return {"v": 1, "event": "fork", "time_ns": 10 ** 18 + number * 1000, "pid": 5, "exe": "/bin/x", "id": f"5.{number}",
            "tid": 5, "thread": "x", "entry": "fork", "child": 1000 + number, "threads": 2, "seen": number, **more}


def stack(number):
    return [{"pc": hex(number * 64 + i), "module": "/bin/x", "offset": hex(number * 64 + i)} for i in range(10)]


def log_of(folder, events):
    log = Path(folder) / "log"
    with open(log, "w") as file:
        for event in events:
            file.write(json.dumps(event) + "\n")
    return log


def whole_forks(count):
    for i in range(count):
        yield fork_event(i, **({"same_as": "5.0"} if i else {"site": stack(0)}))
        yield {"v": 1, "event": "exit", "time_ns": 10 ** 18 + i * 1000 + 5, "pid": 1000 + i, "exe": "/bin/x",
               "fork": f"5.{i}", "status": 0, "after_us": 5}


def test_many_forks_of_one_place():
    with tempfile.TemporaryDirectory() as folder:
        mib, status, out, err = measured([COMMAND, "report", log_of(folder, whole_forks(100000))])
    assert status == 0 and "100000 multithreaded forks from 1 site: 100000 hazards" in out, (out[-500:], err)
    assert mib < MOST_MIB and "left out" not in out, mib


def test_flood_of_forged_events():
    floods = {
        "places": (fork_event(i, site=stack(i)) for i in range(100000)),
        "forks": (fork_event(i, same_as="5.0") for i in range(200000)),
        "early": ({"v": 1, "event": "exec", "fork": f"9.{i}", "pid": i, "path": "/bin/x"} for i in range(300000)),
        "findings": ({"v": 1, "event": "suspect", "pid": i, "lock": {"kind": "x" * 200}, "stack": stack(i), "proof": []}
                     for i in range(30000)),
    }
    for name, events in floods.items():
        with tempfile.TemporaryDirectory() as folder:
            mib, status, out, err = measured([COMMAND, "report", log_of(folder, events)])
        assert status == 0 and mib < MOST_MIB, (name, status, mib, err[-500:])
        assert "events left out, beyond what may be kept" in out, (name, mib, out[-500:])


def test_line_without_an_end():
    """200 MB, and one of numbers, each of which takes more than its text."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with open(log, "wb") as file:
            file.write(json.dumps(fork_event(0, site=stack(0))).encode() + b'\n{"event":"fork","x":"')
            for _ in range(200):
                file.write(b"a" * (1 << 20))
            file.write(b'"}\n{"event":"fork","x":[' + b"0," * (7 << 20) + b"0]}\n")
            file.write(json.dumps(fork_event(1, same_as="5.0")).encode() + b"\n")
        mib, status, out, err = measured([COMMAND, "report", log])
    assert status == 0 and mib < MOST_MIB, (status, mib, err)
    assert err.count("left out") == 1 and "event 2 is longer than 16 MB" in err, err
    assert "2 multithreaded forks from 1 site" in out, out[-500:]


def test_hole_in_the_events():
    """The length of the file means nothing: 1 TiB that is not there, and events behind it."""
    mib, status, _, err = measured([COMMAND, "run", "--", build_program("sparse_events")])
    assert status == 0 and mib < MOST_MIB, (status, mib, err[-500:])
    assert "is a hole in the file: left out" in err, err[-500:]
    assert "2 multithreaded forks" in err.splitlines()[-1], err[-500:]


def test_run_of_many_forks():
    forks = 100000 if FULL else 5000
    mib, status, _, err = measured([COMMAND, "run", "--", build_program("storm"), forks])
    assert status == 0 and mib < MOST_MIB, (status, mib, err[-500:])
    assert f"{forks} multithreaded forks from 1 site" in err.splitlines()[-1], err[-500:]


def test_numbers_that_overflow():
    events = [fork_event(0, site=stack(0)) | {"time_ns": 2 ** 63 - 1, "threads": -2 ** 63 + 1},
              fork_event(1, site=stack(1)) | {"time_ns": -2 ** 63, "threads": 2 ** 63 - 1}]
    with tempfile.TemporaryDirectory() as folder:
        for command in filter(Path.exists, (COMMAND, SANITIZED)):
            _, status, _, err = measured([command, "report", log_of(folder, events)])
            assert status == 0 and "runtime error" not in err, err[-500:]


def test_commands_of_a_runner():
    """GitHub takes a line that begins so for a command, blanks or none before it."""
    events = [fork_event(0, site=stack(0)),
              {"v": 1, "event": "deadlock", "fork": "5.0", "pid": 1000, "exe": "/bin/x", "waited_ms": 1,
               "lock": {"address": "0x1", "kind": "::error title=x::y"}, "stack": stack(0), "proof": ["  ::warning::z"]}]
    with tempfile.TemporaryDirectory() as folder:
        _, status, out, err = measured([COMMAND, "report", "-v", log_of(folder, events)])
    lines = [line.lstrip() for line in (out + err).splitlines()]
    assert "DEADLOCK" in out and not [l for l in lines if l.startswith(("::", "##["))], out


def test_mutated_logs():
    if not SANITIZED.exists():
        raise Skip("no build with ASan: scripts/test makes it")
    with tempfile.TemporaryDirectory() as folder:
        logs = []
        for name, arguments in (("two_sites", []), ("locks", ["normal"]), ("fork_exec", []), ("spins", [])):
            run = driven([build_program(name), *arguments], "--stuck-after", "0.2", "--time-limit", "4")
            logs.append(Path(folder) / name)
            logs[-1].write_text("".join(json.dumps(e) + "\n" for e in run.events))
        result = subprocess.run([sys.executable, str(TOP / "tests/fuzz/logs.py"), str(SANITIZED),
                                 "10000" if FULL else "150", "1", *map(str, logs)], cwd=folder, text=True,
                                capture_output=True, env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
    assert result.returncode == 0 and ", 0 faults" in result.stdout, result.stdout[-5000:] + result.stderr[-2000:]
