"""What the command reads is what programs chose: it survives it, and says what it found."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from harness import COMMAND, build_library, build_program, driven, environment, execute, read_events

NOTE = "forkhound: the process that reads the programs' files "


def library_in(folder, *flags):
    library = Path(folder) / "libstrange.so"
    shutil.copy(build_library("strange_library", "-O0", "-g3", "-Wl,--build-id=none", *flags), library)
    return library


def linked_to_fifo(program, folder):
    """A copy of the program without debug information; its debuglink names a FIFO."""
    copy, link = Path(folder) / program.name, Path(folder) / "link.debug"
    link.write_text("soon a FIFO")
    subprocess.run(["objcopy", "--strip-debug", "--remove-section=.note.gnu.build-id",
                    f"--add-gnu-debuglink={link}", program, copy], check=True)
    link.unlink()
    os.mkfifo(link)
    return copy


def test_fifo_as_debuglink():
    with tempfile.TemporaryDirectory() as folder:
        program = linked_to_fifo(build_program("locks"), folder)
        run = driven([program, "normal"], limit=60)
        assert run.status == 66 and len(run.named("deadlock")) == 1, (run.status, run.err)
        assert "DEADLOCK" in run.err and NOTE not in run.err, run.err


def test_fifo_called_as_a_deleted_library():
    program = build_program("strange_files")
    with tempfile.TemporaryDirectory() as folder:
        run = driven([program, "deleted", library_in(folder)], limit=60)
    assert run.status == 66 and len(run.named("deadlock")) == 1, (run.status, run.err)


def test_library_replaced_in_place():
    """Its file gets shorter between two processes that fork in it: what the command has mapped is no more."""
    program = build_program("strange_files")
    with tempfile.TemporaryDirectory() as folder:
        library, err, shorter = library_in(folder), Path(folder) / "err", Path(folder) / "shorter"
        subprocess.run(["strip", "-o", shorter, library], check=True)
        first, second = "in fork_first", "in fork_second"
        with open(err, "w") as to_err, subprocess.Popen(
                [COMMAND, "run", "--log", f"{folder}/events", "--", "sh", "-c",
                 '"$0" first "$1" && echo done && read line && exec "$0" second "$1"', program, library],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=to_err,
                env=environment()) as process:
            assert process.stdout.readline() == b"done\n"
            deadline = time.monotonic() + 60
            while first not in err.read_text() and time.monotonic() < deadline:
                time.sleep(0.01)
            with open(library, "r+b") as old:  # as cp does it
                old.truncate(0)
                old.write(shorter.read_bytes())
            process.communicate(b"\n", timeout=60)
        assert process.returncode == 0, (process.returncode, err.read_text())
        assert "2 multithreaded forks from 2 sites" in err.read_text(), err.read_text()
        assert re.search(f"SUMMARY: .* {first}:", err.read_text()), err.read_text()
        assert re.search(f"SUMMARY: .* {second}:", err.read_text()), err.read_text()


def test_script_for_a_fifo():
    with tempfile.TemporaryDirectory() as folder:
        os.mkfifo(f"{folder}/fifo", 0o700)
        Path(f"{folder}/script").write_text(f"#!{folder}/fifo\n")
        os.chmod(f"{folder}/script", 0o700)
        run = execute([COMMAND, "run", "--", f"{folder}/script"], limit=60)
        assert run.returncode == 126, (run.returncode, run.stderr)


def names_processes(command):
    """The symbolizers of a command."""
    try:
        pids = Path(f"/proc/{command}/task/{command}/children").read_text().split()
        return [int(p) for p in pids if Path(f"/proc/{p}/comm").read_text() == "forkhound-names\n"]
    except (FileNotFoundError, ProcessLookupError):
        return []


def test_no_process_without_need():
    run = execute(["strace", "-f", "-e", "trace=prctl,clone,fork,vfork", COMMAND, "run", "--", "true"])
    assert run.returncode == 0 and "forkhound-tidy" in run.stderr, run.stderr
    assert "forkhound-names" not in run.stderr, run.stderr


def test_symbolizer_is_apart():
    """It has no descriptors and no group of ours, cannot be asked to end, and ends with the command."""
    program = build_program("locks")
    with subprocess.Popen([COMMAND, "run", "--on-deadlock", "report", "--", program, "normal"],
                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                          env=environment()) as process:
        try:
            for line in process.stderr:
                if "SUMMARY: forkhound: deadlock" in line:
                    break
            (pid,) = names_processes(process.pid)
            limits = Path(f"/proc/{pid}/limits").read_text()
            assert "unlimited" not in re.search("Max address space.*", limits)[0], limits
            open_files = [os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")]
            assert not [n for n in open_files if n.startswith(("pipe:", "anon_inode:"))], open_files
            assert len([n for n in open_files if n.startswith("socket:")]) == 1, open_files
            assert os.getpgid(pid) == pid, os.getpgid(pid)
        finally:
            for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
                if int(child) not in names_processes(process.pid):
                    descend_and_kill(int(child))
            process.kill()
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not Path(f"/proc/{pid}").exists()


def test_symbolizer_reads_no_memory():
    """Yama lets what is above a process read it: the command, not its symbolizer."""
    with subprocess.Popen([build_program("locks"), "normal"], start_new_session=True) as process:
        try:
            deadline = time.monotonic() + 30
            while not Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text():
                assert time.monotonic() < deadline
                time.sleep(0.01)
            run = execute(["strace", "-f", "-s", "200", COMMAND, "diagnose", process.pid])
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    assert run.returncode == 66 and "wait_in_child" in run.stdout and "locks.c:" in run.stdout, run.stdout
    (pid,) = re.findall(r'\[pid +(\d+)\] prctl\(PR_SET_NAME, "forkhound-names"', run.stderr)
    lines = [line for line in run.stderr.splitlines() if re.match(rf"\[pid +{pid}\]", line)]
    assert [line for line in lines if "locks" in line and "openat" in line], "nothing read?"
    assert not [line for line in lines if re.search(r"process_vm_readv|ptrace|/mem\"", line)], lines
    assert not Path(f"/proc/{pid}").exists()


def descend_and_kill(pid):
    try:
        if Path(f"/proc/{pid}/comm").read_text() == "forkhound-tidy\n":
            return
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            descend_and_kill(int(child))
        os.kill(pid, signal.SIGKILL)
    except (FileNotFoundError, ProcessLookupError):
        pass


def run_while_killing(command, *options, every):
    """Its symbolizers are killed all the time; how many were."""
    with tempfile.TemporaryDirectory() as folder, open(f"{folder}/err", "w+") as err, subprocess.Popen(
            [COMMAND, "run", "--log", f"{folder}/events", *options, "--", *command],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err, env=environment()) as process:
        killed, deadline = 0, time.monotonic() + 100
        while process.poll() is None and time.monotonic() < deadline:
            for pid in names_processes(process.pid):
                try:
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
                except ProcessLookupError:
                    pass
            time.sleep(every)
        process.kill()
        return process.wait(), Path(f"{folder}/err").read_text(), read_events(f"{folder}/events"), killed


def test_symbolizer_killed_at_random_under_load():
    program = build_program("locks")
    load = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(2)]
    results, lock = [], threading.Lock()

    def one(kind, every):
        result = run_while_killing([program, kind], every=every)
        with lock:
            results.append((kind, *result))

    try:
        turns = [threading.Thread(target=one, args=(kind, every))
                 for kind in ("normal", "rwlock", "semaphore", "recursive")
                 for every in (0, 0.003, 0.02)]
        for turn in turns:
            turn.start()
        for turn in turns:
            turn.join()
    finally:
        for process in load:
            process.kill()
            process.wait()
    assert len(results) == 12, results
    for kind, status, err, events, _ in results:
        found = [e["event"] for e in events if e["event"] in ("deadlock", "suspect")]
        assert status == 66 and found == ["deadlock"], (kind, status, found, err)
        assert "SUMMARY: forkhound: deadlock" in err and err.count(NOTE) <= 1, (kind, err)
    assert sum(killed for *_, killed in results) > 20, [r[4] for r in results]
    assert any(NOTE in err for _, _, err, _, _ in results), results[0]


def test_hung_symbolizer():
    """Stopped for ever, it costs names: not the finding, the time limit, or the ability to end."""
    program = build_program("locks")
    with tempfile.TemporaryDirectory() as folder, open(f"{folder}/err", "w+") as err, subprocess.Popen(
            [COMMAND, "run", "--", program, "normal"],
            stdin=subprocess.DEVNULL, stderr=err, env=environment()) as process:
        stopped, deadline = set(), time.monotonic() + 100
        while process.poll() is None and time.monotonic() < deadline:
            for pid in names_processes(process.pid):
                if not stopped:
                    os.kill(pid, signal.SIGSTOP)
                    stopped.add(pid)
            time.sleep(0.0005)
        process.kill()
        text = Path(f"{folder}/err").read_text()
        assert process.wait() == 66 and "SUMMARY: forkhound: deadlock" in text, (process.returncode, text)
        assert NOTE + "took too long" in text, text


def test_fifos_that_libdw_opens_itself():
    """Those of split DWARF and of dwz: it knows no better, but the symbolizer's time is limited."""
    with tempfile.TemporaryDirectory() as folder:
        split, alternate = Path(folder) / "split", Path(folder) / "alternate"
        source = build_program("locks").parents[2] / "tests/programs/locks.c"
        subprocess.run(["gcc", "-g", "-gsplit-dwarf", "-D_GNU_SOURCE", "-pthread", "-o", split, source],
                       check=True, cwd=folder)
        (half,) = Path(folder).glob("*.dwo")
        half.unlink()
        os.mkfifo(half)
        os.mkfifo(f"{folder}/alt.debug")
        (Path(folder) / "alt").write_bytes(f"{folder}/alt.debug".encode() + b"\0" + bytes(range(20)))
        subprocess.run(["objcopy", f"--add-section=.gnu_debugaltlink={folder}/alt", build_program("locks"),
                        alternate], check=True)
        for program in (split, alternate):
            run = driven([program, "normal"], limit=100)
            assert run.status == 66 and len(run.named("deadlock")) == 1, (program, run.status, run.err)
            assert "libc.so.6+" in run.err and "wait_in_child" in run.err, run.err


def test_symbolizers_that_all_hang():
    """The command ends at its time limit, and where it is asked to."""
    program = build_program("locks")
    for options, sent in ((("--time-limit", "4"), None), ((), signal.SIGTERM)):
        with tempfile.TemporaryDirectory() as folder, open(f"{folder}/err", "w+") as err, subprocess.Popen(
                [COMMAND, "run", "--log", f"{folder}/events", "--on-deadlock", "report", *options, "--", program,
                 "normal"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err, env=environment()) as process:
            begin, told = time.monotonic(), None
            while process.poll() is None and time.monotonic() < begin + 60:
                for pid in names_processes(process.pid):
                    os.kill(pid, signal.SIGSTOP)
                    if sent and not told:
                        told = time.monotonic()
                        process.send_signal(sent)
                time.sleep(0.001)
            assert told or not sent
            took = time.monotonic() - (told or begin)
            text = Path(f"{folder}/err").read_text()
            assert took < 20 and "multithreaded fork from 1 site" in text, (took, text)
            assert process.wait() in (66, 124, 128 + signal.SIGTERM), (process.returncode, text)
            for fork in (e for e in read_events(f"{folder}/events") if e["event"] == "fork"):
                with contextlib.suppress(ProcessLookupError):  # what SIGTERM has left behind
                    os.kill(fork["child"], signal.SIGKILL)
