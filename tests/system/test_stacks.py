"""The stacks are those of the threads: compared with gdb, and with what the child inherits."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from harness import (BUILD, COMMAND, LIBRARY, bare, build_program, driven_until_found, environment,
                     execute, read_events)
from run import Skip


def test_exact_capture_is_what_the_child_inherits():
    for _ in range(5):
        run = bare([build_program("busy_threads")], options="capture=exact")
        assert run.status == 0, run.err
        (first,) = run.first_forks
        assert [o["exact"] for o in first["others"]] == ["unchanged"] * 4, first["others"]


def test_threads_begin_without_the_registers_of_their_creator():
    """An address in one of them would look like one that the thread knows: of a frame of the creator's."""
    run = bare([build_program("thread_registers")], options="redirect=learn")
    assert (run.status, run.out) == (0, "0\n"), (run.out, run.err)


def test_proc_capture_says_so():
    run = bare([build_program("idle_threads")], options="capture=proc")
    (first,) = run.first_forks
    assert first["capture"] == "proc" and "capture=proc" in run.err
    assert {o["exact"] for o in first["others"]} == {"approximate"}


def test_filter_of_a_container():
    """What a filter that was there before does to a call the command tries out, for the library cannot."""
    for action, capture in (("allow", "ptrace"), ("refuse", "proc"), ("kill", "proc")):
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "events"
            run = execute([build_program("under_filter"), action, COMMAND, "run", "--log", log, "--",
                           build_program("idle_threads")], env=environment(TMPDIR=folder))
            assert run.returncode == 0, (action, run.stderr)
            (first,) = [e for e in read_events(log) if e["event"] == "fork"]
            assert first["capture"] == capture, (action, first["capture_why"])
            assert os.listdir(folder) == ["events"], os.listdir(folder)


def gdb_stacks(pid):
    """The return addresses that gdb finds, by tid; inlined and tail-call frames have none of their own."""
    text = execute(["gdb", "-batch", "-nx", "-ex", "set debuginfod enabled off", "-ex",
                    "thread apply all bt", "-p", str(pid)]).stdout
    stacks = {}
    for block in re.split(r"^Thread (?=\d)", text, flags=re.M)[1:]:
        tid = int(re.search(r"LWP (\d+)", block).group(1))
        stacks[tid] = [int(a, 16) for a in re.findall(r"^#\d+ +0x([0-9a-f]+) in", block, re.M)]
    return stacks


def test_same_frames_as_gdb():
    """50 threads in ten kinds of waits, some with every signal blocked."""
    program = build_program("gdb_waits")
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        env = environment(LD_PRELOAD=str(LIBRARY), FORKHOUND_OPTIONS=f"log_path={log}")
        with subprocess.Popen([str(program)], env=env, stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.DEVNULL) as process:
            assert process.stdout.readline() == "forked\n"
            stacks = gdb_stacks(process.pid)
            process.send_signal(signal.SIGKILL)
        first = [e for e in read_events(log) if "others" in e][0]
        assert len(first["others"]) == 50
        for other in first["others"]:
            ours = [int(f["pc"], 16) for f in other["stack"]]
            gdb = stacks[other["tid"]]
            # gdb shows no address for the innermost frame, and adds inlined and tail-call frames.
            assert len(ours) >= 4, other
            missing = [hex(pc) for pc in ours[1:] if pc not in gdb]
            assert not missing, (other, [hex(a) for a in gdb])


GO_LIBRARY = """package main

import "C"
import "time"

//export start
func start() {
	go func() {
		for {
			time.Sleep(time.Second)
		}
	}()
}

//export receive
func receive() {
	<-make(chan int)
}

func main() {
}
"""

USES_GO = """#include <sys/wait.h>
#include <unistd.h>
void start(void);
void receive(void);
int main(void)
{
  int status;
  start();
  if (fork() == 0)
    receive();
  waitpid(-1, &status, 0);
  return 0;
}
"""


def test_go_in_a_shared_library():
    """Its table of addresses lists only the parts in C: the lines of Go are those that its own tool finds."""
    if not shutil.which("go"):
        raise Skip("go is not installed")
    with tempfile.TemporaryDirectory() as folder:
        library, program = Path(folder) / "libtest.so", Path(folder) / "program"
        library.with_suffix(".go").write_text(GO_LIBRARY)
        program.with_suffix(".c").write_text(USES_GO)
        env = environment(GOCACHE=str(BUILD / "go-cache"), CGO_ENABLED="1", GOFLAGS="", GOTOOLCHAIN="local",
                          GO111MODULE="off")
        built = execute(["go", "build", "-buildmode=c-shared", "-o", library, library.with_suffix(".go")], env=env,
                        cwd=folder)
        if built.returncode:
            raise Skip(f"go builds no shared library: {built.stderr.splitlines()[-1:]}")
        subprocess.run(["gcc", "-o", str(program), str(program.with_suffix(".c")), str(library)], check=True)
        run = driven_until_found([program])
        (finding,) = run.named("suspect") + run.named("deadlock")
        innermost = {}  # of the frames at each address, with the calls that are inlined there
        for frame in finding["stack"]:
            if frame["module"] == str(library):
                innermost.setdefault(frame["offset"], frame)
        assert len(innermost) > 4, finding["stack"]
        for number, (offset, frame) in enumerate(innermost.items()):
            address = int(offset, 16) - (number > 0)  # all but the first return there
            known = execute(["go", "tool", "addr2line", library], env=env, input=hex(address) + "\n",
                            stdin=None).stdout.split()[-1]
            assert known == f"{frame['file']}:{frame['line']}" and ".c:" not in known, (frame, known)
    (summary,) = (l for l in run.err.splitlines() if re.match("SUMMARY: forkhound: (suspect|deadlock)", l))
    assert re.search(r" at \S+\.(s|go):\d+ in runtime\.", summary), summary
