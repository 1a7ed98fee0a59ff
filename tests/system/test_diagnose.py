"""`forkhound diagnose` of processes that are healthy: it says so, and does them no harm."""

import subprocess
import sys

from harness import COMMAND, build_program, execute


def test_processes_that_exec_in_a_loop():
    """An exec while a thread is stopped, or stepped through, must not end the process."""
    programs = [build_program("exec_loop"), build_program("exec_loop", "-static")]
    rounds = 25 if "--full" in sys.argv else 4
    for i in range(rounds):
        processes = [subprocess.Popen([str(programs[i % 2])]) for _ in range(20)]
        try:
            run = execute([COMMAND, "diagnose", "--stuck-after", "0.2", *[p.pid for p in processes]])
            assert [p.poll() for p in processes] == [None] * len(processes), run.stderr
        finally:
            for process in processes:
                process.kill()
                process.wait()
