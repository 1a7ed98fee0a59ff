"""Mutated object files under the sanitizers (tests/fuzz/elf.py)."""

import random
import sys

from harness import TOP
from run import Skip

sys.path.insert(0, str(TOP / "tests/fuzz"))
import elf  # noqa: E402


def test_mutated_object_files():
    build, count = TOP / "build-asan", 10000 if "--full" in sys.argv else 400
    if not (build / "cli/forkhound").exists():
        raise Skip("no build-asan: scripts/test makes it")
    seed = random.randrange(1 << 32)
    faults, ended, lines = elf.fuzz(build, count, seed)
    assert not faults, "\n".join(faults)
    assert lines > count // 4, f"seed {seed}: only {lines} lines of source were found: what was read?"
