"""What --redirect=learn says of the places that fork, and that it disturbs nothing."""

import ctypes.util
import os
import re
import shutil
import tempfile
from pathlib import Path

from harness import (COMMAND, bare, build_cxx, build_program, driven, execute, plain, read_events,
                     side_by_side)
from run import Skip

LAZY = "-Wl,-z,lazy"
SAFE = "exec grows lazy busy environ errno closes shows ids signals nothing stack".split()
REFUSED = {
    "global": r"wrote `counter` \(learn.*\+0x[0-9a-f]+\)",
    "same": r"wrote what was there already in the page learn.*\+0x[0-9a-f]+000",
    "heap": "wrote the heap",
    "lock": "wrote what was there already in the page learn.*",
    "own": "wrote thread-local memory",
    "maps": "mapped, unmapped or protected memory",
    "protects": "mapped, unmapped or protected memory",
    "caller": "wrote the stack above the function that called fork",
    "setenv": "called setenv",
    "printf": "called puts",
    "forks": "forked a child of its own",
    "thread": "called pthread_create",
    "returns": "returned from the function that called fork",
    "jumps": "called (__longjmp_chk|_?longjmp)",  # as the compiler fortifies it
    "again": "returned from the function that called fork",
    "exits": "ended without exec",
    "killed": "ended without exec",
    "slow": "did not exec within 200 ms",
    "flag": "another thread (has a pointer into|wrote) the frame that calls fork",
    "hidden": "another thread (has a pointer into|wrote) the frame that calls fork",
    "pointer": "another thread has a pointer into the frame that calls fork",
    "queue": "(another thread has a pointer into|a global variable leads to) the frame that calls fork",
}


def learn():
    return build_program("learn", LAZY)


def learned(run):
    return [(e["verdict"], e.get("reason")) for e in run.named("redirect")]


def checked(how, forks):
    """The run of the program, which must do what it does without us."""
    run = driven([learn(), how, str(forks)], "--redirect=learn")
    without = plain([learn(), how, str(forks)])
    assert (run.status, run.out) == (without.status, without.out) == (0, without.out), run.err
    for event in run.named("redirect"):
        assert event["action"] == "learned" and event["site"]["function"] == "fork_here", event
    return run


def test_safe_children_are_allowed():
    def check(how):
        assert learned(checked(how, 5)) == [("allow", None)] * 5, how

    learn()  # is built once
    side_by_side({how: lambda how=how: check(how) for how in SAFE}, 2)


def test_others_are_denied_with_the_reason():
    def check(how, reason):
        (verdict, said), *more = learned(checked(how, 3))
        assert verdict == "deny" and re.fullmatch(reason, said) and not more, (how, said, more)

    learn()
    side_by_side({how: lambda how=how, reason=reason: check(how, reason)
                  for how, reason in REFUSED.items()}, 2)


def test_writes_of_the_parent_are_not_the_childs():
    assert learned(checked("busy", 60)) == [("allow", None)] * 60


def test_exceptions_pass_the_return_trap():
    run = driven([build_cxx("learn_throw")], "--redirect=learn")
    assert run.status == 0, (run.status, run.err)
    assert learned(run) == [("deny", "called __cxa_throw")], learned(run)


def test_without_write_tracking_nothing_is_allowed():
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        run = execute([build_program("under_filter"), "blind", COMMAND, "run", "--log", log,
                       "--redirect=learn", "--", learn(), "exec", "5"])
        assert run.returncode == 0, run.stderr
        said = [(e["verdict"], e["reason"]) for e in read_events(log) if e["event"] == "redirect"]
    assert said == [("unknown", "write tracking is not allowed here")], said


def test_off_learns_nothing():
    run = driven([learn(), "exec", "2"])
    assert run.status == 0 and not run.named("redirect")


class Sites:
    def __init__(self, folder, text=""):
        self.path = Path(folder) / "sites"
        self.path.write_text(text)

    def run(self, how, forks):
        run = driven([learn(), how, str(forks)], "-v", "--redirect=learn", "--sites", self.path)
        assert run.status == 0, run.err
        assert os.listdir(self.path.parent) == ["sites"]
        return run

    def lines(self):
        return [re.sub(r" +", " ", line) for line in self.path.read_text().splitlines()]


def test_the_file_gathers_runs_and_keeps_what_a_person_wrote():
    with tempfile.TemporaryDirectory() as folder:
        sites = Sites(folder, "# mine\n\nallow  libglib-2.0.so.0   g_spawn_*   # by hand")
        head = ["# mine", "", "allow libglib-2.0.so.0 g_spawn_* # by hand"]
        run = sites.run("exec", 2)
        place = rf"{learn().name}\+0x[0-9a-f]+"
        assert re.search(rf"the forks of fork_here \({place}\): unknown: 2 forks, safe; 3 are needed\n"
                         r".*learned from 1 fork site: 0 allow, 0 deny, 1 unknown\n", run.err), run.err
        *kept, line = sites.lines()
        assert kept == head
        assert re.fullmatch(rf"unknown {place} fork_here # learned unknown: 2 forks, safe; 3 are needed",
                            line), line
        sites.run("exec", 2)
        *kept, line = sites.lines()
        assert kept == head and line.endswith("# learned allow: 4 forks, all safe"), line
        sites.run("global", 2)
        *kept, line = sites.lines()
        assert kept == head and re.match(r"deny .*# learned deny: wrote `counter`", line), line
        sites.run("exec", 5)
        assert sites.lines() == [*head, line]

        sites.path.write_text(sites.path.read_text().replace("deny ", "allow", 1))
        edited = sites.path.read_text()
        sites.run("global", 2)
        assert sites.path.read_text() == edited


def test_bad_lines_are_named_and_kept():
    with tempfile.TemporaryDirectory() as folder:
        sites = Sites(folder, "allow a f\nalow b f\ndeny c\n")
        run = sites.run("exec", 3)
        assert f"forkhound: {sites.path}:2: expected allow, deny or unknown first\n" in run.err
        assert f"forkhound: {sites.path}:3: expected a function, a pattern of * or - third\n" in run.err
        assert sites.lines()[:3] == ["allow a f", "alow b f", "deny c"] and len(sites.lines()) == 4


def test_bad_options_are_named():
    run = driven(["/bin/true"], "--redirect=lern")
    assert run.status == 125
    assert "--redirect: expected off, learn, listed, auto or help, got 'lern'" in run.err, run.err
    run = driven(["/bin/true"], "--redirect=learn", "--sites", "/nowhere/sites")
    assert run.status == 0, run.err  # nothing was learned


def test_the_library_alone_appends():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sites"
        path.write_text("# mine\n")
        for how in ("exec", "exec", "global", "global"):
            run = bare([learn(), how, "4"], f"redirect=learn:sites={path}")
            assert run.status == 0, run.err
        first, allow, deny, *more = path.read_text().splitlines()
        assert first == "# mine" and not more, more
        assert allow.endswith("# learned allow: 3 forks, all safe"), allow
        assert deny.startswith("deny ") and "wrote `counter`" in deny, deny


# Real software. What their children do is in their sources.

NODE = """
const { spawn } = require('child_process');
let left = 4;
(function next() {
  if (left-- > 0)
    spawn('/bin/echo', ['hi']).on('exit', (status) => { if (status) process.exit(9); next(); });
})();
"""
JAVA = """
public class Spawn {
  public static void main(String[] arguments) throws Exception {
    for (int i = 0; i < 3; i++)
      if (new ProcessBuilder("/bin/true").start().waitFor() != 0)
        System.exit(9);
  }
}
"""


GLIB = """
import ctypes, threading
glib = ctypes.CDLL("libglib-2.0.so.0")
threading.Thread(target=threading.Event().wait, daemon=True).start()
for i in range(3):
    status = ctypes.c_int(1)
    assert glib.g_spawn_command_line_sync(b"/bin/true x", None, None, ctypes.byref(status), None)
    assert status.value == 0
"""
SUBPROCESS = """
import subprocess, threading
threading.Thread(target=threading.Event().wait, daemon=True).start()
subprocess._USE_VFORK = False
for i in range(3):
    subprocess.run(["/bin/true"], check=True, start_new_session=True{})
"""


def tool(name):
    path = shutil.which(name)
    if not path:
        raise Skip(f"{name} is not installed")
    return path


def verdicts(run):
    assert run.status == 0, run.err
    return {(e["verdict"], e.get("reason", "")) for e in run.named("redirect")}


def test_node_children_may_borrow():
    # libuv src/unix/process.c, uv__process_child_init(): written for vfork.
    run = driven([tool("node"), "-e", NODE], "--redirect=learn")
    assert verdicts(run) == {("allow", "")}, verdicts(run)


def debian_python():
    path = "/usr/bin/python3"
    if not os.path.exists(path):
        raise Skip(f"{path} is not there")
    return path


def test_glib_children_may_borrow():
    # glib gspawn.c, do_exec(): written for no other call than async-signal-safe ones.
    if not ctypes.util.find_library("glib-2.0"):
        raise Skip("GLib is not there")
    run = driven([debian_python(), "-c", GLIB], "--redirect=learn")
    assert verdicts(run) == {("allow", "")}, verdicts(run)


def test_python_children_may_borrow_without_preexec():
    # _posixsubprocess.c, child_exec(): the same code serves vfork.
    code = SUBPROCESS.format("")
    assert verdicts(driven([debian_python(), "-c", code], "--redirect=learn")) == {("allow", "")}
    code = SUBPROCESS.format(", preexec_fn=lambda: None")
    (verdict, reason), = verdicts(driven([debian_python(), "-c", code], "--redirect=learn"))
    assert verdict == "deny" and reason.startswith(("wrote ", "called pthread_key_")), reason


def test_git_children_write_a_global():
    # run-command.c, start_command(): the child sets other routines for die() and its like.
    with tempfile.TemporaryDirectory() as folder:
        git = [tool("git"), "-c", "user.name=a", "-c", "user.email=a@b", "-C", folder]
        for command in (["init", "-q", "a"], ["-C", "a", "commit", "-q", "--allow-empty", "-m", "a"]):
            assert execute([*git, *command]).returncode == 0
        run = driven([*git, "clone", "-q", f"file://{folder}/a", "b"], "--redirect=learn")
    (verdict, reason), = verdicts(run)
    assert verdict == "deny" and reason.startswith("wrote ") and "git" in reason, reason


def test_java_children_allocate():
    # jdk childproc.c, closeDescriptors(): opendir().
    java, javac = tool("java"), tool("javac")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Spawn.java").write_text(JAVA)
        assert execute([javac, "Spawn.java"], cwd=folder).returncode == 0
        run = driven([java, "-Djdk.lang.Process.launchMechanism=FORK", "-cp", folder, "Spawn"],
                     "--redirect=learn")
    (verdict, reason), = verdicts(run)
    assert verdict == "deny" and reason.startswith("wrote "), reason
    assert "opendir" in run.named("redirect")[0]["calls"]


def test_ruby_fork_returns():
    # process.c: Process.spawn execs where it forks; fork {} returns to the interpreter.
    run = driven([tool("ruby"), "-e", "t = Thread.new { sleep }; Process.wait(fork { exit! 0 })"],
                 "--redirect=learn")
    assert verdicts(run) == {("deny", "returned from the function that called fork")}, verdicts(run)
