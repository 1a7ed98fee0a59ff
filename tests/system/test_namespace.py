"""Children of processes in a PID namespace that a program makes: they have other numbers outside."""

import json
import os
import re
import shutil
import signal
import tempfile
from pathlib import Path

from harness import COMMAND, build_program, driven, execute, plain
from run import Skip
from test_diagnose import until, with_child
from test_python_cases import readable

OWN_PROC = ("unshare", "--pid", "--fork", "--mount-proc")


def program():
    """Where a PID namespace can be made."""
    if shutil.which("unshare") is None or plain([*OWN_PROC, "true"]).status:
        raise Skip("no PID namespace can be made")
    return build_program("inner_fork")


def proven(run, count=1):
    findings = run.named("deadlock")
    assert len(findings) == count and run.status == 66, (run.status, run.err)
    for finding in findings:
        assert "wait_in_child" in [f.get("function") for f in finding["stack"]], finding["stack"]
        assert re.fullmatch(r"it is process \d+ outside its PID namespace", finding["notes"][-1]), finding["notes"]
        assert finding["pid"] < 100 and finding["lock"]["symbol"] == "queue_lock", finding
    killed = [e["pid"] for e in run.named("exit") if e.get("status") == 137]
    assert sorted(killed) == sorted(f["pid"] for f in findings), run.events
    assert not run.named("blind"), run.err
    return findings


def test_with_a_proc_of_its_own():
    run = driven([*OWN_PROC, program(), "plain"], "--time-limit", "60")
    (finding,), (fork,) = proven(run), run.first_forks
    assert (finding["pid"], fork["pid"]) == (fork["child"], 1), (finding, fork)
    assert finding["owner"]["tid"] == finding["lock"]["owner_tid"] == fork["others"][0]["tid"], finding
    assert f"DEADLOCK: child {fork['child']} (inner_fork) of 1 waits forever for a lock that thread " in run.err


def test_without():
    """The threads are counted only; the wait is proven all the same."""
    run = driven([program()], "--time-limit", "60")
    (finding,), (fork,) = proven(run), run.first_forks
    assert (finding["pid"], fork["pid"]) == (fork["child"], 1) and not fork["others"], (finding, fork)


def test_two_with_the_same_numbers():
    """The second one begins when the first one has forked: they are told by when they did."""
    line = f"{' '.join(OWN_PROC)} {program()} plain"
    run = driven(["sh", "-c", f"{line} | {{ read forked; sleep 0.2; {line} >&2; }}"], "--time-limit", "60",
                 "--stuck-after", "1")
    findings = proven(run, 2)
    assert findings[0]["pid"] == findings[1]["pid"] and findings[0]["fork"] != findings[1]["fork"], findings


def test_two_at_once():
    """Where they cannot be told apart they are named as a blind spot."""
    run = driven([program(), "twice"], "--time-limit", "3")
    blind = {e["path"] for e in run.named("blind")}
    assert len(run.named("fork")) == 2, run.events
    assert blind == {str(program())} or len(run.named("deadlock")) == 2, run.err
    if blind:
        assert "inner_fork (in a PID namespace below, where its children are like those of others: they are not " \
               "watched)" in run.err.splitlines()[-1], run.err


def fork_event(number, place, time_ns):
    return {"v": 1, "event": "fork", "time_ns": time_ns, "pid": 7, "exe": "/bin/app", "id": "7.1", "tid": 7,
            "thread": "app", "child": 100 + number, "threads": 2, "others": [], "groups": [],
            "site": [{"pc": hex(place), "module": "/bin/app", "offset": hex(place)}]}


def test_pid_in_use_anew():
    """Another process with the pid of one that forked: its first fork has the same id."""
    first, second = fork_event(1, 0x1000, 10 ** 18), fork_event(2, 0x2000, 2 * 10 ** 18)
    exits = [{"v": 1, "event": "exit", "time_ns": 3 * 10 ** 18, "pid": e["child"], "exe": "/bin/app", "fork": "7.1",
              "after_us": 200000, "status": e["child"] - 100} for e in (first, second)]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        log.write_text("".join(json.dumps(e) + "\n" for e in (first, second, first, *reversed(exits))))
        run = execute([COMMAND, "report", log])
    text = run.stdout + run.stderr
    assert "2 multithreaded forks from 2 sites: 2 hazards" in text, text
    for number in (1, 2):
        assert re.search(rf"forked child {100 + number} while .* and exited with status {number} ", text), text


PYTHON = """
import os, threading
lock, held = threading.Lock(), threading.Event()
def hold():
    with lock:
        held.set()
        threading.Event().wait()
def take():
    lock.acquire()
threading.Thread(target=hold, daemon=True).start()
held.wait()
if os.fork() == 0:
    take()
os.wait()
os._exit(0)
"""


def python(path):
    """CPython knows its threads by their numbers in there."""
    def test():
        program()
        with tempfile.TemporaryDirectory() as folder:
            main = Path(folder) / "main.py"
            main.write_text(PYTHON)
            run = driven([*OWN_PROC, path, main], "--time-limit", "60")
            with with_child(*OWN_PROC, path, main) as (_, first):
                told = until("DEADLOCK", first).stdout
                os.kill(first, signal.SIGKILL)
        (finding,) = run.named("deadlock")
        assert [f["function"] for f in finding["python"]] == ["take", "<module>"], finding
        for text in (run.err, told):
            assert re.search(r"SUMMARY: forkhound: deadlock at \S*main.py:9 in take", text), text
    return test


def generated():
    return {f"test_python_{name}": python(path) for name, path in readable().items()}
