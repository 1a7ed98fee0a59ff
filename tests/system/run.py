#!/usr/bin/env python3
"""Runs every function named test_* of the test_*.py files here; words given select by substring."""

import importlib
import sys
import time
import traceback
from pathlib import Path


class Skip(Exception):
    pass


def main():
    here = Path(__file__).resolve().parent
    sys.path.insert(0, str(here))
    sys.modules["run"] = sys.modules["__main__"]
    wanted = [a for a in sys.argv[1:] if not a.startswith("-")]
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
            try:
                function()
                result, detail = "PASS", ""
            except Skip as why:
                result, detail = "SKIP", f": {why}"
            except Exception:
                result, detail = "FAIL", "\n" + traceback.format_exc()
            counts[result] += 1
            print(f"{result} {full} ({time.monotonic() - begin:.1f} s){detail}", flush=True)
    print(f"system tests: {counts['PASS']} passed, {counts['FAIL']} failed, {counts['SKIP']} skipped")
    return 1 if counts["FAIL"] or not counts["PASS"] else 0


if __name__ == "__main__":
    sys.exit(main())
