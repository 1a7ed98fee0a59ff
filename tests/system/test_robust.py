"""Ends of all kinds, terminals, masses of events and output, broken logs, children that hide."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness import COMMAND, Run, build_program, driven, environment, execute, read_events
from run import Skip
from terminal import Terminal

PYTHON = "/usr/bin/python3"

# A thread with a lock that it never gives back, and a child that wants it.
STUCK = """
import os, signal, sys, threading
lock, held = threading.Lock(), threading.Event()
def hold():
    with lock:
        held.set()
        threading.Event().wait()
threading.Thread(target=hold, daemon=True).start()
held.wait()
def stuck():
    lock.acquire()
    os._exit(1)
"""


def wait_until(condition, what, limit=60):
    deadline = time.monotonic() + limit
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not within {limit} s: {what}"
        time.sleep(0.01)
    return result


def state(pid):
    """The letter of /proc/PID/stat; None: there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except (FileNotFoundError, ProcessLookupError):
        return None


def gone(pid):
    return state(pid) in (None, "Z", "X")


# Masses


def storm(forks):
    run = driven([build_program("storm"), str(forks)])
    assert run.status == 0, run.err[-2000:]
    ids = [e["id"] for e in run.named("fork")]
    children = {e["id"]: e["child"] for e in run.named("fork")}
    assert len(ids) == len(set(ids)) == forks, len(ids)
    ends = {e["fork"]: e["pid"] for e in run.named("exit")}
    assert len(run.named("exit")) == forks and ends == children, len(ends)
    assert f"forkhound: {forks} multithreaded forks from 1 site: {forks} hazards" in run.err, run.err


def test_no_event_of_3000_forks_is_lost():
    storm(3000)


def test_no_event_of_50000_forks_is_lost():
    if "--full" not in sys.argv:
        raise Skip("only with --full")
    storm(50000)


def test_1000_children_at_once():
    code = STUCK + """
source, sink = os.pipe()
children = []
for _ in range(1000):
    child = os.fork()
    if child == 0:
        os.close(sink)
        os.read(source, 1)
        os._exit(0)
    children.append(child)
os.close(sink)
print(sum(os.waitpid(child, 0)[1] for child in children), len(children), flush=True)
os._exit(0)
"""
    run = driven([PYTHON, "-E", "-c", code])
    assert run.status == 0 and run.out == "0 1000\n", (run.status, run.out, run.err[-2000:])
    assert len(run.named("fork")) == len(run.named("exit")) == 1000
    assert not run.named("deadlock") + run.named("suspect")


def test_output_is_not_in_the_driver_s_way():
    """500 MB are counted and summed up; the program's descriptors are the caller's own."""
    code = ("import os, sys\nblock = bytes(range(256)) * 4096\n"
            "print(os.readlink('/proc/self/fd/0'), os.readlink('/proc/self/fd/1'), flush=True)\n"
            "for i in range(500): os.write(1, block)\n")
    with subprocess.Popen([str(COMMAND), "run", "--", PYTHON, "-E", "-c", code], env=environment(),
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        pipes = [os.readlink(f"/proc/self/fd/{end.fileno()}")
                 for end in (process.stdin, process.stdout)]
        assert process.stdout.readline().decode().split() == pipes
        block, count = bytes(range(256)) * 4096, 0
        while data := process.stdout.read(len(block)):
            assert data == block[:len(data)]
            count += len(data)
    assert process.returncode == 0 and count == 500 << 20, count


# Ends


def test_killed_driver_leaves_the_program_running_and_no_file():
    code = STUCK + """
print(os.getpid(), flush=True)
sys.stdin.readline()
child = os.fork()
if child == 0:
    os._exit(6)
print("done", os.waitpid(child, 0)[1] >> 8, flush=True)
os._exit(0)
"""
    with tempfile.TemporaryDirectory() as folder:
        temporary, log = Path(folder) / "tmp", Path(folder) / "log"
        temporary.mkdir()
        with subprocess.Popen([str(COMMAND), "run", "--log", str(log), "--", PYTHON, "-E", "-c", code],
                              env=environment(TMPDIR=str(temporary)), text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            program = int(process.stdout.readline())
            assert list(temporary.iterdir())
            process.kill()
            assert process.wait() == -signal.SIGKILL
            wait_until(lambda: not list(temporary.iterdir()), "the run directory is removed")
            assert not gone(program)
            process.stdin.write("go on\n")
            process.stdin.close()
            assert process.stdout.read() == "done 6\n"
            # Nobody asks for reports any more, and the library does not complain.
            assert "forkhound" not in process.stderr.read()
            wait_until(lambda: gone(program), "the program ends")
        assert [p.name for p in Path(folder).iterdir() if p != temporary] == ["log"]
        assert not list(temporary.iterdir())


def test_children_that_die_before_they_are_watched():
    program = ("import os, signal, threading, time\n"
               "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
               "for _ in range(20):\n"
               "    child = os.fork()\n"
               "    if child == 0:\n"
               "        time.sleep(0.08)\n"
               "        os.kill(os.getpid(), signal.SIGKILL)\n"
               "    os.waitpid(child, 0)\n"
               "os._exit(0)\n")
    run = driven(["python3", "-c", program])
    children = [e["child"] for e in run.named("fork")]
    assert run.status == 0 and len(children) == 20, (run.status, run.err)
    assert sorted(e["pid"] for e in run.named("exit")) == sorted(children), run.named("exit")


def test_killed_program_leaves_a_true_report():
    code = STUCK + """
def stay():
    os.close(1)
    os.close(2)
    while True:
        signal.pause()
children = [os.fork() or os._exit(4), os.fork() or stay()]
os.waitpid(children[0], 0)
os.kill(os.getpid(), signal.SIGKILL)
"""
    run = driven([PYTHON, "-E", "-c", code], "--fail-on", "never")
    try:
        assert run.status == 128 + 9, (run.status, run.err)
        assert len(run.named("fork")) == 2, run.events
        assert [e["status"] for e in run.named("exit")] == [4], run.named("exit")
        assert run.err.count("forkhound: HAZARD") == 1, run.err
        last = run.err.splitlines()[-1]
        assert last.startswith("forkhound: 2 multithreaded forks from 1 site:"), last
    finally:
        os.kill(run.named("fork")[1]["child"], signal.SIGKILL)


def test_signal_to_the_driver_reaches_the_program():
    code = ("import signal, sys, os\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(9))\n"
            "print('up', flush=True)\nwhile True: signal.pause()\n")
    with subprocess.Popen([str(COMMAND), "run", "--", PYTHON, "-E", "-c", code], env=environment(),
                          stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        process.terminate()
    assert process.returncode == 9, process.returncode


# Terminals

SHELL_PROGRAM = """
import os, signal, sys, threading
def idle():
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    blocked.set()
    threading.Event().wait()
blocked = threading.Event()
threading.Thread(target=idle, daemon=True).start()
blocked.wait()
if os.fork() == 0:
    os.execv("/bin/true", ["true"])
os.wait()
def resized(*_):
    os.write(1, b"size %d %d\\n" % os.get_terminal_size()[::-1])
signal.signal(signal.SIGWINCH, resized)
signal.signal(signal.SIGCONT, lambda *_: os.write(1, b"continued\\n"))
print("up", os.getpid(), flush=True)
while True:
    try:
        line = os.read(0, 100).decode()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        continue
    if line == "stop\\n":
        os.kill(os.getpid(), signal.SIGSTOP)
        continue
    if line == "ignore\\n":
        signal.signal(signal.SIGTSTP, lambda *_: os.write(1, b"not stopped\\n"))
    if line == "end\\n":
        sys.stdout.flush()
        os._exit(3)
    if line == "die\\n":
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGCONT, signal.SIG_DFL)
        print("mortal", flush=True)
        while True:
            signal.pause()
    print("line", repr(line), flush=True)
"""


def shell(folder, prefix):
    script = Path(folder) / "program.py"
    script.write_text(SHELL_PROGRAM)
    (Path(folder) / "go").write_text(
        f"#!/bin/sh\nexec {' '.join(prefix)} {PYTHON} -E {script}\n")
    (Path(folder) / "go").chmod(0o755)
    env = environment(PS1="shell> ", ENV="", HOME=folder, TERM="dumb")
    env.pop("PROMPT_COMMAND", None)
    return Terminal(["sh", "-i"], env)


def started(terminal, folder):
    terminal.expect(r"shell> ")
    terminal.type(f"cd {folder}; clear() {{ :; }}\n")
    terminal.expect(r"shell> ")
    terminal.type("./go\n")
    return int(terminal.expect(r"up (\d+)\n").group(1))


def all_stopped(terminal_group):
    """Every process of a process group is stopped."""
    states = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                fields = Path(f"/proc/{name}/stat").read_text().rpartition(") ")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[2]) == terminal_group:
                states.append(fields[0])
    return states and set(states) == {"T"}


def job_control(prefix):
    """^Z, fg, ^C, resize, the end by a signal and by itself."""
    with tempfile.TemporaryDirectory() as folder, shell(folder, prefix) as terminal:
        started(terminal, folder)
        for _ in range(5):
            group = terminal.foreground()
            terminal.type("\x1a")
            terminal.expect(r"Stopped.*\n(?s:.*?)shell> ")
            assert all_stopped(group)  # none is left that could take what is typed now
            terminal.type("fg\n")
            terminal.expect(r"continued\n")
            terminal.type("hello\n")
            terminal.expect(r"line 'hello\\n'\n")
        terminal.type("\x1a")
        terminal.expect(r"Stopped.*\n(?s:.*?)shell> ")
        terminal.type("bg\n")
        terminal.expect(r"continued\n")  # and then stops, as it reads from the terminal
        wait_until(lambda: all_stopped(group), "stopped by SIGTTIN")
        terminal.type("\nfg\n")
        terminal.expect(r"continued\n")
        terminal.type("\x03")
        terminal.expect(r"interrupted\n")
        terminal.resize(33, 99)
        terminal.expect(r"size 33 99\n")
        terminal.type("ignore\n")
        terminal.expect(r"line 'ignore\\n'\n")
        terminal.type("\x1a")
        terminal.expect(r"not stopped\n")
        terminal.type("hello\n")
        terminal.expect(r"line 'hello\\n'\n")
        terminal.type("end\n")
        terminal.expect(r"shell> ")
        terminal.type("echo status=$?\n")
        terminal.expect(r"status=3\n")
        terminal.type("./go\n")
        terminal.expect(r"up \d+\n")
        terminal.type("die\n")
        terminal.expect(r"mortal\n")
        terminal.type("\x03")
        terminal.expect(r"shell> ")
        terminal.type("echo status=$?\n")
        terminal.expect(r"status=130\n")


def test_job_control_without_forkhound():
    """The truth that the next one is held against."""
    job_control([])


def test_job_control():
    job_control([str(COMMAND), "run", "--"])


def stops_itself(prefix):
    """A program that stops itself, as the `suspend` of a shell does."""
    with tempfile.TemporaryDirectory() as folder, shell(folder, prefix) as terminal:
        pid = started(terminal, folder)
        for _ in range(3):
            terminal.type("stop\n")
            terminal.expect(r"Stopped.*\n(?s:.*?)shell> ")
            assert state(pid) == "T"
            terminal.type("fg\n")
            terminal.expect(r"continued\n")
        terminal.type("end\n")
        terminal.expect(r"shell> ")


def test_program_that_stops_itself_without_forkhound():
    stops_itself([])


def test_program_that_stops_itself():
    stops_itself([str(COMMAND), "run", "--"])


def test_interactive_python():
    env = environment(TERM="dumb", PYTHONSTARTUP="")
    with tempfile.TemporaryDirectory() as folder:
        env["HOME"] = folder
        with Terminal([str(COMMAND), "run", "--", PYTHON, "-i"], env) as terminal:
            terminal.expect(r">>> ")
            terminal.type("6 * 7\n")
            terminal.expect(r"\n42\n>>> ")
            terminal.type("import sys; sys.stdin.isatty()\n")
            terminal.expect(r"\nTrue\n>>> ")
            terminal.type("input('what? ')\n")
            terminal.expect(r"what\? ")
            terminal.type("this\n")
            terminal.expect(r"\n'this'\n>>> ")
            # Its output tells that it runs: at a prompt ^C may come just before the read.
            terminal.type("import time\n")
            terminal.expect(r">>> ")
            terminal.type("for _ in range(9): print('run' + 'ning'); time.sleep(60)\n\n")
            terminal.expect(r"running\n")
            terminal.type("\x03")
            terminal.expect(r"KeyboardInterrupt\n>>> ")
            terminal.type("exit(4)\n")
            assert terminal.wait() == 4, terminal.text


# Logs


def rendered(path):
    run = execute([COMMAND, "report", path])
    assert run.returncode in (0, 125), (run.returncode, run.stderr)
    return run


def a_log(folder):
    log = Path(folder) / "log"
    execute([COMMAND, "run", "--log", log, "--", PYTHON, "-E", "-c", STUCK + """
for child in [os.fork() or os._exit(0), os.fork() or stuck()]:
    os.waitpid(child, 0)
os._exit(0)
"""])
    lines = log.read_bytes().splitlines(keepends=True)
    kinds = [json.loads(line)["event"] for line in lines]
    assert sorted(kinds) == ["deadlock", "end", "exit", "exit", "fork", "fork"], kinds
    return log, lines, kinds


def test_truncated_log():
    """Cut at every kind of place: what is whole is told, and where it broke."""
    with tempfile.TemporaryDirectory() as folder:
        log, lines, kinds = a_log(folder)
        whole = rendered(log)
        assert whole.stderr == "" and "DEADLOCK" in whole.stdout and "HAZARD" in whole.stdout
        for i, line in enumerate(lines):
            for cut in (1, len(line) // 2, len(line) - 2):
                log.write_bytes(b"".join(lines[:i]) + line[:cut])
                run = rendered(log)
                word = f"{log}:{i + 1}: not a whole event; {i} event{'' if i == 1 else 's'} read"
                assert run.stderr.count("\n") == 1 and word in run.stderr, (cut, run.stderr)
                assert (run.returncode == 0) == (i > 0), run.returncode
                assert ("DEADLOCK" in run.stdout) == ("deadlock" in kinds[:i]), run.stdout
            # Without its newline a last line is whole all the same.
            log.write_bytes(b"".join(lines[:i]) + line[:-1])
            assert rendered(log).stderr == ""


def test_broken_lines_in_a_log():
    with tempfile.TemporaryDirectory() as folder:
        log, lines, kinds = a_log(folder)
        whole = rendered(log).stdout
        for broken in (b"\n", b"\0\0\0\0\n", b"not JSON\n", b"\xff\xfe{}\n", b"[]\n", b"{}\n", b"3\n",
                       b'{"event":7}\n', b'{"v":1,"event":"fork"\n', b"[" * 100000 + b"\n"):
            for at in (0, 2, len(lines)):
                log.write_bytes(b"".join(lines[:at]) + broken + b"".join(lines[at:]))
                run = rendered(log)
                assert f"{log}:{at + 1}: " in run.stderr and run.stderr.count("\n") == 1, (
                    broken[:20], run.stderr)
                assert run.stdout == whole, (broken[:20], run.stdout)


def test_many_broken_lines_in_a_log():
    """Every whole event counts; the broken lines are named, and counted from the eleventh on."""
    with tempfile.TemporaryDirectory() as folder:
        log, lines, _ = a_log(folder)
        whole = rendered(log).stdout
        for count in (1, 2, 10, 11, 500):
            # One before each event as long as there are any, the rest at the end.
            before = [b'{"v":1,"ev\n' if i < count else b"" for i in range(len(lines))]
            rest = b"]\n" * (count - min(count, len(lines)))
            log.write_bytes(b"".join(b + line for b, line in zip(before, lines)) + rest)
            numbers = [i + 1 for i, line in enumerate(log.read_bytes().splitlines(True)) if line not in lines]
            run = rendered(log)
            assert (run.returncode, run.stdout) == (0, whole), (count, run.returncode)
            expected = [f"{log}:{n}: not a whole event" for n in numbers[:10]]
            if count > 10:
                expected.append(f"{log}: {count - 10} more such lines")
            expected[-1] += f"; {len(lines)} events read"
            assert run.stderr.splitlines() == [f"forkhound: {line}" for line in expected], run.stderr
        log.write_bytes(b"]\n" * 500)
        run = rendered(log)
        assert run.returncode == 125 and run.stderr.endswith(f"{log}: 490 more such lines; 0 events read\n"), run.stderr


def spoil(value, chance):
    """The same JSON with some values replaced by those of another type."""
    if chance.random() < 0.04:
        return chance.choice([None, True, -1, 1 << 62, 0.5, "", "x\x1b[31m", [], {}, [[]], {"pc": 3}])
    if isinstance(value, dict):
        return {k: spoil(v, chance) for k, v in value.items() if chance.random() > 0.01}
    if isinstance(value, list):
        return [spoil(v, chance) for v in value]
    return value


def test_events_of_wrong_types():
    """Nothing that a log holds ends the report by a signal, or reaches the terminal raw."""
    with tempfile.TemporaryDirectory() as folder:
        log, lines, _ = a_log(folder)
        events = [json.loads(line) for line in lines]
        for seed in range(150):
            chance = random.Random(seed)
            log.write_text("".join(json.dumps(spoil(e, chance)) + "\n" for e in events))
            for form in ((), ("--report", "json")):
                run = execute([COMMAND, "report", *form, log])
                assert run.returncode in (0, 125), (seed, form, run.returncode, run.stderr)
                assert "\x1b" not in run.stdout + run.stderr, seed


# Children that hide

FORK_STUCK = """
child = os.fork()
if child == 0:
    stuck()
"""
PLACES = {
    "in_a_pipeline": (STUCK + FORK_STUCK + "os.waitpid(child, 0)\nos._exit(0)",
                      "{program} | cat; echo end"),
    "in_the_background": (STUCK + FORK_STUCK + "os.waitpid(child, 0)\nos._exit(0)",
                          "{program} & wait; echo end"),
    "in_a_session_of_its_own": (STUCK + """
child = os.fork()
if child == 0:
    os.setsid()
    stuck()
os.waitpid(child, 0)
os._exit(0)""", "{program}; echo end"),
    "double_forked": (STUCK + """
source, sink = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        stuck()
    os._exit(0)
os.close(sink)
os.wait()
os.read(source, 1)  # until the grandchild is no more
os._exit(0)""", "{program}; echo end"),
    "whose_forker_has_ended": (STUCK + FORK_STUCK + "os._exit(0)", "{program} | cat; echo end"),
    "in_a_process_group_of_its_own": (STUCK + """
child = os.fork()
if child == 0:
    os.setpgid(0, 0)
    stuck()
os.waitpid(child, 0)
os._exit(0)""", "{program}; echo end"),
}


def hidden(place):
    def test():
        code, script = PLACES[place]
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder) / "program.py"
            program.write_text(code)
            script = script.format(program=f"{PYTHON} -E {program}")
            run = driven(["sh", "-c", script], "--time-limit", "60")
        assert run.status == 66, (run.status, run.err)
        (finding,) = run.named("deadlock")
        assert run.err.count("forkhound: DEADLOCK: ") == 1, run.err
        assert gone(finding["pid"])
        assert run.out == "end\n", run.out  # the command itself went on to its end
    return test


def generated():
    return {f"test_stuck_child_{place}": hidden(place) for place in PLACES}


def test_stop_leaves_the_child_stopped():
    code = STUCK + FORK_STUCK + "print('end', os.waitpid(child, 0)[1], flush=True)\nos._exit(0)"
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with subprocess.Popen([str(COMMAND), "run", "--log", str(log), "--on-deadlock", "stop", "--",
                               PYTHON, "-E", "-c", code], env=environment(), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            err = ""
            while not (match := re.search(r"gdb -p (\d+)", err)):
                line = process.stderr.readline()
                assert line, err
                err += line
            child = int(match.group(1))
            wait_until(lambda: state(child) == "T", "the child is stopped")
            if shutil.which("gdb"):
                shown = execute(["gdb", "-nx", "-batch", "-ex", "set debuginfod enabled off", "-ex",
                                 "bt", "-p", str(child)]).stdout
                assert "PyThread_acquire_lock" in shown, shown
            assert state(child) in "Tt" and process.poll() is None
            os.kill(child, signal.SIGKILL)
            assert process.stdout.read() == "end 9\n"
            err += process.stderr.read()
        (finding,) = Run(subprocess.CompletedProcess([], 0, "", ""), read_events(log)).named("deadlock")
    assert process.returncode == 66, (process.returncode, err)
    assert finding["pid"] == child and err.count("forkhound: DEADLOCK: ") == 1, err
