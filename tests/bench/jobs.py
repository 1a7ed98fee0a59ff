"""Whole jobs under the command: a build, much output, a log with many stacks."""

import json
import os
import random
import statistics
import subprocess
import time

from table import ratio_row, take_turns, verdict

FILES = 200  # of the project that is built
FUNCTIONS = 8  # in each
OUTPUT = 500 << 20  # bytes
STACKS, FRAMES = 1000, 20

FUNCTION = """
static int compare_{n}(const void *a, const void *b) {{ return strcmp(*(char *const *)a, *(char *const *)b); }}
int work_{n}(char **words, size_t count, FILE *out)
{{
  char line[256];
  qsort(words, count, sizeof *words, compare_{n});
  for (size_t i = 0; i < count; i++) {{
    snprintf(line, sizeof line, "%zu %s %d", i, words[i], {n});
    for (char *c = line; *c; c++)
      *c = (char)toupper((unsigned char)*c);
    if (strstr(line, "WORD") && fputs(line, out) < 0)
      return -{n};
  }}
  return (int)count;
}}
"""


def write_project(folder):
    """FILES files of C and their Makefile; the program names each function once."""
    folder.mkdir()
    names = [f"work_{n}" for n in range(FILES * FUNCTIONS)]
    for i in range(FILES):
        body = "".join(FUNCTION.format(n=i * FUNCTIONS + k) for k in range(FUNCTIONS))
        (folder / f"part{i}.c").write_text(
            "#include <ctype.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n" + body)
    (folder / "main.c").write_text(
        "#include <stddef.h>\n" + "".join(f"int {name}();\n" for name in names) +
        "int (*const all[])() = {" + ", ".join(names) + "};\nint main(void) { return all[0] == NULL; }\n")
    (folder / "Makefile").write_text(
        "CFLAGS = -g -O1\nprogram: $(patsubst %.c,%.o,$(wildcard *.c))\n\t$(CC) -o $@ $^\n"
        "clean:\n\trm -f *.o program\n.PHONY: clean\n")


def seconds(*command):
    begin = time.perf_counter()
    subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin


def reading_seconds(*command):
    """Until all OUTPUT bytes of it have come through a pipe."""
    begin = time.perf_counter()
    with subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        buffer, left = bytearray(1 << 20), OUTPUT
        while left > 0 and (n := process.stdout.readinto(buffer)):
            left -= n
    assert left == 0 and process.returncode == 0, (left, process.returncode)
    return time.perf_counter() - begin


def write_log(path, program):
    """One fork event whose other threads have STACKS different stacks in the program."""
    symbols = subprocess.run(["nm", "--defined-only", program], stdout=subprocess.PIPE, check=True,
                             text=True).stdout.splitlines()
    functions = [int(line.split()[0], 16) for line in symbols if " work_" in line]
    random.seed(1)

    def frame():
        offset = random.choice(functions) + random.randrange(64)
        return {"pc": hex(0x400000 + offset), "module": str(program), "offset": hex(offset)}

    others = [{"tid": 100 + i, "thread": "worker", "state": "S", "group": "program",
               "exact": "unchanged", "stack": [frame() for _ in range(FRAMES)]} for i in range(STACKS)]
    event = {"v": 1, "event": "fork", "time_ns": 1, "pid": 99, "exe": str(program), "id": "99.1", "tid": 99,
             "thread": "main", "entry": "fork", "child": 9999, "threads": STACKS + 1,
             "threads_at_entry": STACKS + 1, "seen": 1, "capture": "ptrace", "site": [frame()],
             "others": others, "groups": [{"module": "program", "count": STACKS}]}
    end = {"v": 1, "event": "exit", "time_ns": 2, "pid": 9999, "exe": str(program), "fork": "99.1",
           "status": 0, "after_us": 5000}
    path.write_text(json.dumps(event) + "\n" + json.dumps(end) + "\n")


def report_seconds(command, log):
    begin = time.perf_counter()
    report = subprocess.run([command, "report", log], stdin=subprocess.DEVNULL, text=True, check=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
    took = time.perf_counter() - begin
    lines = report.count(".c:")
    assert lines > STACKS * FRAMES, f"{lines} lines of source"
    return took


def jobs(bench):
    few = bench.quick
    project = bench.folder / "project"
    write_project(project)
    os.environ["FORKHOUND_LIBRARY"] = str(bench.library)
    under = (bench.command, "run", "-q", "--")
    make = ("make", "-s", "-C", project, "-j2")
    print("\n| a job | under forkhound | alone | ratio | interval | fastest turns | bar | |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")

    def build(*how):
        seconds("make", "-s", "-C", project, "clean")
        return seconds(*how, *make)

    ours, others = take_turns(2 if few else 7, lambda: build(*under), build)
    ratio_row(f"`make -j2`, {FILES} files of C", "s", 1, ours, others, 1.03)
    zeros = ("head", "-c", OUTPUT, "/dev/zero")
    ours, others = take_turns(2 if few else 9, lambda: reading_seconds(*under, *zeros),
                              lambda: reading_seconds(*zeros))
    ratio_row("500 MiB of output", "ms", 1e3, ours, others, None)

    log = bench.folder / "stacks.jsonl"
    write_log(log, project / "program")
    took = [report_seconds(bench.command, log) for _ in range(2 if few else 5)]
    median = statistics.median(took)
    print(f"\n`forkhound report` of a log with {STACKS:,} stacks of {FRAMES} frames, debug information at "
          f"hand: {median:.2f} s (bar 2 s, {verdict(median, median, 2)}).\n", flush=True)
