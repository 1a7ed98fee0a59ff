"""Programs the library cannot be loaded into: run unharmed, each named once with the reason."""

import os
import shutil
import stat
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

from harness import BUILD, COMMAND, LIBRARY, Run, driven, environment, execute, plain, read_events
from run import Skip

FORKS = """#include <sys/wait.h>
#include <unistd.h>
int main(void)
{
  int status = 0;
  if (fork() == 0)
    _exit(5);
  wait(&status);
  return WEXITSTATUS(status);
}
"""

# No C library: exit(5) of the 32-bit table, by the 32-bit entry.
NARROW = """void _start(void)
{
  __asm__ volatile("int $0x80" : : "a"(1), "b"(5));
}
"""

GO = """package main

import (
	"fmt"
	"os"
	"os/exec"
)

func main() {
	out, err := exec.Command("sh", "-c", "echo hello").Output()
	fmt.Print(string(out), err, "\\n")
	os.Exit(5)
}
"""


def compiled(folder, source, *command):
    if not shutil.which(command[0]):
        raise Skip(f"{command[0]} is not installed")
    path, target = Path(folder) / "program.c", Path(folder) / "program"
    path.write_text(source)
    result = execute([*command, "-o", target, path])
    if result.returncode:
        raise Skip(f"{' '.join(command)} does not work: {result.stderr.splitlines()[-1:]}")
    return target


def check(program, reason):
    """Alone, twice from a shell, and from Python by posix_spawn: one event and one mention each."""
    without = plain([program])
    assert without.status == 5, without.status
    script = f"{program}; {program}; exit $?"
    spawn = (f"import os; pid = os.posix_spawn('{program}', ['p'], os.environ); "
             "os._exit(os.waitpid(pid, 0)[1] >> 8)")
    for command in ([program], ["sh", "-c", script], ["/usr/bin/python3", "-E", "-c", spawn]):
        run = driven(command)
        assert run.status == 5, (command, run.status, run.err)
        assert "ERROR: ld.so" not in run.err, run.err
        blind = run.named("blind")
        assert {e["path"] for e in blind} == {str(program)}, (command, run.events)
        assert reason in blind[0]["why"], blind
        last = run.err.splitlines()[-1]
        assert last.count(str(program)) == 1 and reason in last, (command, run.err)


def test_static_glibc():
    with tempfile.TemporaryDirectory() as folder:
        check(compiled(folder, FORKS, "gcc", "-static"), "statically linked")


def test_musl_static():
    with tempfile.TemporaryDirectory() as folder:
        check(compiled(folder, FORKS, "musl-gcc", "-static"), "statically linked")


def test_musl_dynamic():
    with tempfile.TemporaryDirectory() as folder:
        check(compiled(folder, FORKS, "musl-gcc"), "musl")


def test_another_architecture():
    with tempfile.TemporaryDirectory() as folder:
        program = compiled(folder, NARROW, "gcc", "-m32", "-static", "-nostdlib", "-ffreestanding")
        if execute([program]).returncode != 5:
            raise Skip("this kernel runs no 32-bit programs")
        check(program, "another architecture")


def test_go():
    if not shutil.which("go"):
        raise Skip("go is not installed")
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder) / "main.go", Path(folder) / "program"
        source.write_text(GO)
        env = environment(GOCACHE=f"{folder}/cache", CGO_ENABLED="0", GOFLAGS="", GOTOOLCHAIN="local",
                          GO111MODULE="off")
        subprocess.run(["go", "build", "-o", str(program), str(source)], env=env, check=True,
                       capture_output=True)
        check(program, "statically linked")


def user_without_rights():
    """Someone else than the owner of a set-user-ID file: root runs these as another user."""
    if os.getuid() != 0:
        raise Skip("needs root, to make a set-user-ID file of root")
    return {"user": 65534, "group": 65534, "extra_groups": []}


def copied(folder):
    """The command, where other users can run it: they may not be let into the directory of the sources."""
    for file in (LIBRARY, COMMAND):
        target = Path(folder) / file.relative_to(BUILD)
        target.parent.mkdir()
        target.parent.chmod(0o755)
        shutil.copy(file, target)
    return target


@contextmanager
def privileged(prepare):
    """The command, a program with other rights than its user has, and a log that this user can write."""
    someone = user_without_rights()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        program = compiled(folder, FORKS, "gcc")
        if os.statvfs(folder).f_flag & os.ST_NOSUID:
            raise Skip("the temporary directory is mounted nosuid")
        prepare(program)
        work = Path(folder) / "work"
        work.mkdir(mode=0o777)
        work.chmod(0o777)
        yield copied(folder), program, work / "log", someone


def blind_to(forkhound, program, log, someone, reason, before=()):
    for command in ([program], ["sh", "-c", f"{program}; {program}; exit $?"]):
        process = execute([*before, forkhound, "run", "--log", log, "--", *command], cwd="/", **someone)
        run = Run(process, read_events(log))
        assert run.status == 5, (run.status, run.err)
        assert {(e["path"], e["why"]) for e in run.named("blind")} == {(str(program), reason)}, (run.events, run.err)
        last = run.err.splitlines()[-1]
        assert last.count(str(program)) == 1 and reason in last, run.err
        log.unlink()


def test_set_user_id():
    with privileged(lambda program: program.chmod(program.stat().st_mode | stat.S_ISUID)) as those:
        blind_to(*those, "set-user-ID")


def test_file_capabilities():
    """All but those that are inheritable only keep the loader from loading the library."""
    setcap = shutil.which("setcap", path="/usr/sbin:/sbin:/usr/bin")
    if not setcap:
        raise Skip("setcap (libcap2-bin): not installed")

    def give(program, capabilities="cap_net_raw+ep"):
        if execute([setcap, capabilities, program]).returncode:
            raise Skip("the temporary directory keeps no file capabilities")

    with privileged(give) as (forkhound, program, log, someone):
        for capabilities in ("cap_net_raw+ep", "cap_net_raw+p", "cap_net_raw+ie"):
            give(program, capabilities)
            blind_to(forkhound, program, log, someone, "has file capabilities")
            blind_to(forkhound, program, log, someone, "has file capabilities", ["setpriv", "--no-new-privs"])
        # As root, and where the capabilities are inheritable only, nothing is hidden.
        for capabilities, user in (("cap_net_raw+ep", {}), ("cap_net_raw+i", someone)):
            give(program, capabilities)
            run = execute([forkhound, "run", "-v", "--", "sh", "-c", f"{program}; exit $?"], cwd="/", **user)
            assert run.returncode == 5 and "capabilities" not in run.stderr, (capabilities, run.stderr)


def test_other_root_directory():
    """The run directory is not there: the process itself reports, once, that the command is not told."""
    if os.geteuid():
        raise Skip("only root may call chroot()")
    code = """if 1:
        import os, sys, threading, time
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        os.chroot(sys.argv[1])
        for _ in range(2):
            if os.fork() == 0:
                os._exit(0)
            os.wait()
        os._exit(3)"""
    with tempfile.TemporaryDirectory() as root:
        run = driven(["python3", "-E", "-c", code, root], "--fail-on", "hazard")
    assert run.status == 3 and not run.named("fork"), (run.status, run.err)
    assert run.err.count("forkhound: cannot append to the event file") == 1, run.err
    assert "forkhound: HAZARD: child " in run.err, run.err
