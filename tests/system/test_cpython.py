"""CPython's own tests give the same results under the command as without it. Slow: `--full` only."""

import re
import sys

from harness import COMMAND, LIMIT, environment, execute
from run import Skip

MODULES = ("test_fork1", "test_os", "test_threading", "test_subprocess", "test_pty",
           "test_concurrent_futures", "test_multiprocessing_fork")


def outcome(text):
    """The unittest words that tell results apart, without times and counts of runs."""
    verdicts = re.findall(r"^(\w+ \([\w.]+\)).*\.\.\. (ok|FAIL|ERROR|skipped)", text, re.M)
    return sorted(v for v in verdicts if v[1] in ("FAIL", "ERROR"))


def one(module):
    def test():
        if "--full" not in sys.argv:
            raise Skip("only with --full")
        command = ["/usr/bin/python3", "-m", "unittest", "-v", f"test.{module}"]
        if execute(["/usr/bin/python3", "-c", f"import test.{module}"]).returncode:
            raise Skip(f"test.{module} is not installed (libpython3-testsuite)")
        without = execute(command, env=environment(), limit=10 * LIMIT)
        under = execute([COMMAND, "run", "-q", "--", *command], env=environment(), limit=10 * LIMIT)
        assert under.returncode == without.returncode, under.stderr[-3000:]
        assert outcome(under.stderr) == outcome(without.stderr)
    return test


def generated():
    return {f"test_{m}": one(m) for m in MODULES}
