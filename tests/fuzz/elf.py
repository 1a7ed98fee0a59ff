#!/usr/bin/env python3
"""Mutated object files under the sanitizers: `forkhound report` of a log whose frames lie in them.

usage: elf.py BUILD COUNT [SEED]   BUILD has ASan and UBSan: scripts/test makes build-asan

Whatever is in the files, each report is made, with its last line, in time, and nothing of our own code
is at fault. What happens inside libdw and libelf ends the symbolizer at most: that is counted.
"""

import json
import os
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

AT_ONCE = 20  # files in one log
FRAMES = 12  # in each file
LIMIT = 120  # seconds for one report
THEIRS = re.compile(r"libdw|libelf|elfutils|libz\.|liblzma|libbz2|libzstd")
NEUTRAL = re.compile(r"libasan|libubsan|sanitizer|/libc\.so|interpos|interceptor|asan_")
SOURCE = """
#include <string.h>
struct point { int x, y; };
static inline __attribute__((always_inline)) int inner(struct point *p, int n) { return p->x * n + (int)strlen("x") + p->y; }
int outer(int n) { struct point p = {n, n + 1}; return inner(&p, n) + inner(&p, 2); }
int main(int argc, char **argv) { (void)argv; return outer(argc); }
"""
WAYS = (["-gdwarf-4", "-O1"], ["-gdwarf-5", "-O2"], ["-gdwarf-5", "-O0", "-gz"], ["-g", "-gsplit-dwarf"],
        ["-gdwarf-4", "-O2", "-fdebug-types-section"], ["-O1"], ["-g", "-Wl,--build-id=none", "-O1"])


def seeds(folder):
    """Programs with debug information of all sorts, and two whose debug information lies apart."""
    source, made = folder / "seed.c", []
    source.write_text(SOURCE)
    for i, way in enumerate(WAYS):
        made.append(folder / f"seed{i}")
        subprocess.run(["gcc", *way, "-o", made[-1], source], cwd=folder, check=True)
    linked, debug = folder / "linked", folder / "linked.debug"
    subprocess.run(["objcopy", "--only-keep-debug", made[0], debug], check=True)
    subprocess.run(["objcopy", "--strip-debug", "--remove-section=.note.gnu.build-id",
                    f"--add-gnu-debuglink={debug}", made[0], linked], check=True)
    alternate = folder / "alternate"
    (folder / "alt").write_bytes(str(debug).encode() + b"\0" + bytes(range(20)))
    subprocess.run(["objcopy", f"--add-section=.gnu_debugaltlink={folder / 'alt'}", made[1], alternate],
                   check=True)
    return [path.read_bytes() for path in (*made, linked, alternate, debug)]


def interesting(data):
    """Where headers and the sections that are parsed lie: mutations elsewhere change nothing."""
    offset = int.from_bytes(data[0x28:0x30], "little")
    count = int.from_bytes(data[0x3c:0x3e], "little")
    places = [(0, 64), (64, 600), (offset, 64 * count)]
    for i in range(count):
        header = data[offset + 64 * i:offset + 64 * i + 64]
        kind = int.from_bytes(header[4:8], "little")
        start, size = (int.from_bytes(header[k:k + 8], "little") for k in (24, 32))
        if kind not in (0, 8) and size:
            places.append((start, size))
    return places


def mutate(data, rng):
    data = bytearray(data)
    places = interesting(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16, 64))):
        start, size = rng.choice(places)
        at = start + rng.randrange(size)
        width = rng.choice((1, 1, 2, 4, 8))
        if at + width > len(data):
            continue
        value = rng.choice((0, 1, 0x7f, 0x80, 0xff, (1 << 8 * width) - 1, 1 << (8 * width - 1),
                            rng.getrandbits(8 * width)))
        data[at:at + width] = (value & ((1 << 8 * width) - 1)).to_bytes(width, "little")
    if rng.random() < 0.1:
        del data[rng.randrange(len(data)):]
    if rng.random() < 0.05:
        at = rng.randrange(len(data) or 1)
        data[at:at] = rng.randbytes(rng.choice((1, 8, 4096)))
    return bytes(data)


def write_log(path, files, rng):
    events = []
    for i, file in enumerate(files):
        stack = [{"pc": hex(offset), "module": str(file), "offset": hex(offset)}
                 for offset in (rng.choice((rng.randrange(0x1020, 0x11c0), rng.randrange(0x1020, 0x11c0),
                                            rng.randrange(0x5000), rng.getrandbits(64)))
                                for _ in range(FRAMES))]
        events.append({"v": 1, "event": "fork", "time_ns": 2 * i + 1, "pid": 99, "exe": "x", "id": f"99.{i}",
                       "tid": 99, "thread": "x", "entry": "fork", "child": 1000 + i, "threads": 2, "seen": 1,
                       "capture": "ptrace", "site": stack, "groups": [{"module": "x", "count": 1}],
                       "others": [{"tid": 100, "thread": "y", "state": "S", "group": "x", "stack": stack[::-1]}]})
        events.append({"v": 1, "event": "exit", "time_ns": 2 * i + 2, "pid": 1000 + i, "exe": "x",
                       "fork": f"99.{i}", "status": 0, "after_us": 5000000})
    path.write_text("".join(json.dumps(e) + "\n" for e in events))


def is_ours(text):
    """Whether what a sanitizer reports was done by our own code."""
    if "runtime error:" in text and "AddressSanitizer" not in text:
        return True  # only our code is instrumented
    for frame in re.findall(r"^ *#\d+ .*", text, re.M):
        if not NEUTRAL.search(frame):
            return not THEIRS.search(frame)
    return True


def sanitized():
    options = "detect_leaks=0:allocator_may_return_null=1:handle_segv=2:handle_abort=0"
    return {**os.environ, "UBSAN_OPTIONS": "print_stacktrace=1", "ASAN_OPTIONS": options}


def run_batch(command, folder, inputs, rng):
    """What is wrong, whether the symbolizer was ended, and how many lines of source were found."""
    files = []
    for i, data in enumerate(inputs):
        files.append(folder / f"input{i}")
        files[-1].write_bytes(data)
    write_log(folder / "log", files, rng)
    env = sanitized()
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
        env[name] += f":log_path={folder}/sanitizer"
    try:
        run = subprocess.run([command, "report", folder / "log"], stdin=subprocess.DEVNULL, env=env, timeout=LIMIT,
                             capture_output=True, text=True, errors="replace")
    except subprocess.TimeoutExpired:
        return [f"not done within {LIMIT} s"], 0, 0
    wrong, theirs = [], int("forkhound: the process that reads" in run.stderr)
    if run.returncode or f"{len(inputs)} multithreaded forks" not in run.stdout + run.stderr:
        wrong.append(f"status {run.returncode}: {run.stdout[-500:]} {run.stderr[-500:]}")
    for path in folder.glob("sanitizer*"):
        text = path.read_text(errors="replace")
        if is_ours(text):
            wrong.append(text[:3000])
        path.unlink()
    return wrong, theirs, run.stdout.count("seed.c")


def fuzz(build, count, seed):
    """The faults, as texts, in how many reports the symbolizer was ended, and the lines of source found."""
    rng, faults, ended, lines = random.Random(seed), [], 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        good = seeds(folder)
        for done in range(0, count, AT_ONCE):
            inputs = [mutate(rng.choice(good), rng) for _ in range(min(AT_ONCE, count - done))]
            wrong, theirs, found = run_batch(Path(build) / "cli/forkhound", folder, inputs, rng)
            ended += theirs
            lines += found
            faults += [f"seed {seed}, inputs {done} to {done + len(inputs) - 1}: {text}" for text in wrong]
            if len(faults) >= 5:
                break
    return faults, ended, lines


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__.strip())
    seed = int(sys.argv[3]) if len(sys.argv) == 4 else random.randrange(1 << 32)
    faults, ended, lines = fuzz(sys.argv[1], int(sys.argv[2]), seed)
    print("\n".join(faults))
    print(f"seed {seed}: {sys.argv[2]} inputs, {len(faults)} faults, {lines} lines of source, "
          f"the symbolizer ended in {ended} reports")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
