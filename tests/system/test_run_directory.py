"""The directory in which the processes of a run meet the command: nothing of it is left."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness import COMMAND, LIBRARY, build_program, environment, execute, plain
from run import Skip


def left_after_kill(program, seed):
    """What is left when the command is killed while the program writes events."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen([str(COMMAND), "run", "-q", "--", str(program), "2000"],
                                   env=environment(TMPDIR=folder), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   start_new_session=True)
        time.sleep(random.Random(seed).uniform(0, 0.15))  # when it is killed, not a wait for anything
        process.kill()
        process.wait()
        end = time.monotonic() + 20
        while os.listdir(folder) and time.monotonic() < end:
            time.sleep(0.01)
        left = [str(p) for p in Path(folder).rglob("*")]
        try:  # the program outlives the command: its events are nobody's
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return left


def test_nothing_is_left_by_a_kill():
    tries = 500 if "--full" in sys.argv else 40
    program = build_program("storm")
    with ThreadPoolExecutor(6) as pool:
        left = [files for files in pool.map(lambda seed: left_after_kill(program, seed), range(tries)) if files]
    assert not left, (len(left), left[0])


IN_NAMESPACE = """
import os, subprocess, sys
for _ in range(3):
    subprocess.run(sys.argv[1:], check=True)
for entry in os.listdir("/proc"):
    if entry.isdigit() and int(entry) != os.getpid():
        print(open(f"/proc/{entry}/stat").read())
"""


def test_first_process_that_reaps_no_strangers():
    """As the job of a container: what we start must not become its zombie."""
    namespace = ["unshare", "--pid", "--fork", "--mount-proc"]
    if execute([*namespace, "true"]).returncode:
        raise Skip("PID namespaces cannot be made here")
    run = plain([*namespace, sys.executable, "-c", IN_NAMESPACE, COMMAND, "run", "-q", "--", "true"])
    assert run.status == 0 and not run.out, (run.status, run.out, run.err)


def test_fifo_without_a_reader():
    """Nobody's other end keeps neither the command nor a program."""
    with tempfile.TemporaryDirectory() as folder:
        fifo = Path(folder) / "fifo"
        os.mkfifo(fifo)
        for option in ("--log", "--report=text:", "--report=json:"):
            words = [f"{option}{fifo}"] if option.endswith(":") else [option, fifo]
            run = plain([COMMAND, "run", *words, "--", "true"], limit=20)
            assert run.status == 125 and f"{fifo}: a FIFO that nobody reads" in run.err, run.err
        for options in (["--suppressions", fifo], ["--sites", fifo, "--redirect", "listed"]):
            run = plain([COMMAND, "run", *options, "--", "true"], limit=20)
            assert run.status == 0 and run.err.count("\n") == 1, (options, run.status, run.err)
            assert f"{fifo}: a FIFO that nobody writes: taken as empty" in run.err, run.err
        for option in ("log_path", "suppressions", "sites"):
            run = plain([build_program("two_sites")], limit=20,
                        env=environment(LD_PRELOAD=str(LIBRARY),
                                        FORKHOUND_OPTIONS=f"{option}={fifo}:redirect=listed"))
            assert run.status == 0, (option, run.status, run.err)
            assert (option != "log_path") or "cannot append to log_path" in run.err, run.err


def test_fifo_with_a_reader():
    program = build_program("two_sites")
    run = plain(["bash", "-c", 'exec 3>&1; "$@" --log >(cat >&3) -- "$0"', program, COMMAND, "run", "-q"])
    assert run.out.count('"event":"fork"') == 2, (run.out, run.err)
    run = plain(["bash", "-c", 'exec 3>&1; "$1" run --suppressions <(echo hazard:two_sites) -- "$0" 2>&1',
                 program, COMMAND])
    assert "HAZARD" not in run.out, run.out


# The writer must find a reader: `report` begins before there is one.
LOG_THROUGH_FIFO = """
mkfifo "$2"
"$1" report "$2" 2>&1 &
until "$1" run -q --log "$2" -- "$0" 2>/dev/null; do sleep 0.1; done
wait
"""


def test_report_of_a_fifo():
    with tempfile.TemporaryDirectory() as folder:
        run = plain(["bash", "-c", LOG_THROUGH_FIFO, build_program("two_sites"), COMMAND, f"{folder}/log"],
                    limit=60)
    assert run.out.count("HAZARD") == 2, run.out
