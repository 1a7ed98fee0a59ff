#!/usr/bin/env python3
"""Mutates logs of events and gives them to `forkhound report`: logs.py COMMAND COUNT SEED LOG...

The command is best built with ASan and UBSan. It may refuse a log (125), and must not crash, hang, or print
a line that a CI runner or a terminal takes for a command. Prints what went wrong, and keeps the log in the
current folder. Exit status: 1 if anything did.
"""

import json
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

NUMBERS = [0, 1, -1, 2 ** 31, -2 ** 31, 2 ** 53, 2 ** 63 - 1, -2 ** 63, 10 ** 30, 0.5, 1e308]
TEXTS = ["", "::error::x", "  ::error::x", "##[error]x", "\x1b[31m", "\u202e", "\x00", "a\nb", "%s%n", "A" * 70000,
         "0x7fffffffffffffff", "-", "/", "..", "fork", "deadlock", "5.1", "\ud800"]
HARMFUL = re.compile(rb"^ *(::|##\[)|[\x00-\x08\x0b-\x1f\x7f]", re.M)


def value(rng):
    frame = {"pc": rng.choice(TEXTS), "module": rng.choice(TEXTS), "offset": rng.choice(NUMBERS)}
    return rng.choice([rng.choice(NUMBERS), rng.choice(TEXTS), None, True, [], {}, [[[[]]]], {"pc": "0x10"}, [frame] * 3])


def places(node, found):
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in items:
        found.append((node, key))
        places(child, found)
    return found


def mutated_event(event, others, rng):
    event = json.loads(json.dumps(event))
    for _ in range(rng.randint(1, 4)):
        node, key = rng.choice(places(event, []) or [({"x": 0}, "x")])
        how = rng.random()
        if how < 0.5:
            node[key] = value(rng)
        elif how < 0.7:
            node[key] = json.loads(json.dumps(rng.choice(list(rng.choice(others).values()))))
        elif isinstance(node, dict) and how < 0.85:
            node.pop(key)
        elif isinstance(node, dict):
            node[rng.choice(TEXTS) or "x"] = node[key]
    return event


def mutated_log(events, rng):
    lines = []
    for event in events:
        how = rng.random()
        if how < 0.1:
            continue
        text = json.dumps(mutated_event(event, events, rng) if how < 0.5 else event).encode()
        if how > 0.97:
            cut = rng.randrange(len(text) + 1)
            text = text[:cut] + bytes(rng.randrange(256) for _ in range(rng.randrange(9))) + text[cut + 3:]
        lines += [text] * rng.choice([1, 1, 1, 1, 2])
    if rng.random() < 0.2:
        rng.shuffle(lines)
    return b"\n".join(lines) + rng.choice([b"\n", b"", b"\x00" * 3])


def fault_of(command, log, options):
    try:
        run = subprocess.run([command, "report", *options, str(log)], capture_output=True, timeout=60)
    except subprocess.TimeoutExpired:
        return "not done after 60 s"
    if run.returncode not in (0, 125):
        return f"status {run.returncode}: {run.stderr[-2000:].decode(errors='replace')}"
    if "--report" not in options and (match := HARMFUL.search(run.stdout + run.stderr)):
        return f"prints {match[0]!r}"
    return None


def main():
    command, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    seeds = [[json.loads(line) for line in Path(log).read_text().splitlines()] for log in sys.argv[4:]]
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        for i in range(count):
            rng = random.Random(f"{seed} {i}")
            log.write_bytes(mutated_log(rng.choice(seeds), rng))
            options = rng.choice([[], [], ["-v"], ["--report", "json"], ["--gen-suppressions"]])
            fault = fault_of(command, log, options)
            if fault:
                faults += 1
                kept = Path(f"fault-{seed}-{i}.jsonl")
                kept.write_bytes(log.read_bytes())
                print(f"{kept} {' '.join(options)}: {fault}", flush=True)
    print(f"fuzz logs: {count} tried, {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
