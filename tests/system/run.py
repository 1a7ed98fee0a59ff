#!/usr/bin/env python3
"""Runs every function named test_* of the test_*.py files here.

Words given, or --filter WORD, select by substring.
"""

import importlib
import signal
import sys
import time
import traceback
from pathlib import Path


# Seconds for one test; a single program has less: harness.LIMIT.
LIMIT = 1500 if "--full" in sys.argv else 150


class Skip(Exception):
    pass


class TooLong(Exception):
    pass


def too_long(*_):
    raise TooLong(f"not done after {LIMIT} s")


def main():
    here = Path(__file__).resolve().parent
    sys.path.insert(0, str(here))
    sys.modules["run"] = sys.modules["__main__"]
    wanted = [a.removeprefix("--filter=") for a in sys.argv[1:]
              if a.startswith("--filter=") or not a.startswith("-")]
    signal.signal(signal.SIGALRM, too_long)
    counts = {"PASS": 0, "FAIL": 0, "SKIP": 0}
    for path in sorted(here.glob("test_*.py")):
        module = importlib.import_module(path.stem)
        tests = dict(getattr(module, "generated", lambda: {})())
        tests.update({n: f for n, f in vars(module).items() if n.startswith("test_")})
        for name, function in tests.items():
            full = f"{path.stem}.{name}"
            if wanted and not any(w in full for w in wanted):
                continue
            begin = time.monotonic()
            signal.alarm(LIMIT)
            try:
                function()
                result, detail = "PASS", ""
            except Skip as why:
                result, detail = "SKIP", f": {why}"
            except Exception:
                result, detail = "FAIL", "\n" + traceback.format_exc()
            finally:
                signal.alarm(0)
            counts[result] += 1
            print(f"{result} {full} ({time.monotonic() - begin:.1f} s){detail}", flush=True)
    print(f"system tests: {counts['PASS']} passed, {counts['FAIL']} failed, {counts['SKIP']} skipped")
    return 1 if counts["FAIL"] or not counts["PASS"] else 0


if __name__ == "__main__":
    sys.exit(main())
