"""The command as it is built for macOS, run on Linux: programs of macOS by tests/darwin/loader.c."""

import re
import tempfile
from pathlib import Path

from macho import slices
from macos import DEADLOCK, LIBRARY_X86_64, MACOS, images, run_command


def test_run_reports_a_hazard():
    process = run_command()
    assert process.returncode == 7, process
    assert process.stderr.count("forkhound: HAZARD:") == 1, process.stderr
    assert re.search(r"SUMMARY: forkhound: hazard at hazard\+0x[0-9a-f]+ in fork_here: ", process.stderr)
    assert "2 multithreaded forks from 1 site: 2 hazards" in process.stderr, process.stderr
    assert run_command(flags=("-q", "--fail-on", "hazard")).returncode == 66


def test_run_sets_the_variable():
    process = run_command("sh", "-c", "echo $DYLD_INSERT_LIBRARIES")
    assert process.stdout == f"{LIBRARY_X86_64}\n", process
    process = run_command("sh", "-c", "echo $DYLD_INSERT_LIBRARIES", DYLD_INSERT_LIBRARIES="/other.dylib")
    assert process.stdout == f"{LIBRARY_X86_64}:/other.dylib\n", process


def test_run_says_that_a_program_is_protected():
    process = run_command("/bin/sh", "-c", "exit 3")
    assert process.returncode == 3, process
    first = process.stderr.splitlines()[0]
    assert "the library will not be loaded into" in first, first
    assert "protected by System Integrity Protection; nor will it be into what that starts" in first, first
    assert "blind spots: " in process.stderr, process.stderr


def test_run_says_that_a_script_is_protected():
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script"
        script.write_text("#!/bin/sh\nexit 4\n")
        script.chmod(0o755)
        process = run_command(script)
    assert process.returncode == 4, process
    assert "protected by System Integrity Protection" in process.stderr, process.stderr


# Linux does not run them, but what is said before is said of real files, and of such with one field
# changed.
def test_run_reads_real_programs():
    images()
    program = MACOS / "arm64/tests/darwin/programs/hazard"
    image = slices(program)["arm64"]

    def said(change=None):
        data = bytearray(image.data)
        if change:
            change(data)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "program"
            file.write_bytes(data)
            file.chmod(0o755)
            lines = run_command(file).stderr.splitlines()
            return [line for line in lines if "will not be loaded" in line]

    def harden(data):
        data[image.signature_flags_at() + 1] |= 1  # CS_RUNTIME, 0x10000, big-endian

    def restrict(data):
        data[image.signature_flags_at() + 2] |= 8  # CS_RESTRICT, 0x800

    def arm64e(data):
        data[8] = 2

    assert said() == [], said()
    for change, why in ((harden, "signed with the hardened runtime"), (restrict, "restricted"),
                        (arm64e, "built for arm64e only")):
        lines = said(change)
        assert len(lines) == 1 and why in lines[0], (change, lines)


def test_run_statuses():
    assert run_command("/no/such").returncode == 127
    assert run_command("/etc/passwd").returncode == 126
    assert run_command("sh", "-c", "kill -9 $$").returncode == 137
    process = run_command("sleep", "60", flags=("--time-limit", "0.3"))
    assert process.returncode == 124, process


SAMPLER = """#!/bin/sh
[ "$2 $3 $4 $5" = "1 10 -mayDie -file" ] || exit 1
cat >"$6" <<END
Call graph:
    84 Thread_751892   DispatchQueue_1: com.apple.main-thread  (serial)
      84 main  (in deadlock) + 120  [0x104a3be10]
        84 push  (in deadlock) + 24  [0x104a3bd80]
          84 STUB  (in libsystem_kernel.dylib) + 8  [0x1880b11a4]

END
"""


def run_deadlock(stub):
    with tempfile.TemporaryDirectory() as folder:
        sampler = Path(folder) / "sample"
        sampler.write_text(SAMPLER.replace("STUB", stub))
        sampler.chmod(0o755)
        return run_command(program=DEADLOCK, FAKE_SAMPLER=str(sampler),
                           flags=("--fail-on", "suspect", "--stuck-after", "0.2", "--time-limit", "2"))


def test_a_deadlock_is_suspected_and_no_more():
    process = run_deadlock("__psynch_mutexwait")
    assert process.returncode == 66 and "time limit of 2 s reached" in process.stderr, process
    assert "forkhound: SUSPECT: child " in process.stderr, process.stderr
    assert "DEADLOCK" not in process.stderr, process.stderr
    assert "all 84 samples of a second found it in __psynch_mutexwait" in process.stderr, process.stderr
    assert 'Thread ' in process.stderr and '"holder" (made by deadlock)' in process.stderr, process.stderr
    assert "suspect at deadlock in push, forked at deadlock+" in process.stderr, process.stderr
    assert "1 hazard; 1 suspect" in process.stderr, process.stderr


def test_a_sampler_that_fails_is_told_of():
    process = run_command(program=DEADLOCK, FAKE_SAMPLER="/bin/false",
                          flags=("--stuck-after", "0.2", "--time-limit", "1"))
    assert "/bin/false could not look at child " in process.stderr, process.stderr
    process = run_command(program=DEADLOCK, FAKE_SAMPLER="/no/sampler",
                          flags=("--stuck-after", "0.2", "--time-limit", "1"))
    assert "/no/sampler: No such file or directory: children that are stuck" in process.stderr, process


def test_a_child_that_waits_for_data_is_not_suspected():
    assert "SUSPECT" not in run_deadlock("__read_nocancel").stderr
