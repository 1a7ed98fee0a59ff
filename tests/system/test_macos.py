"""The library for macOS, as scripts/build-macos cross-builds it: what dyld needs of it; and what it
does in a program of macOS that tests/darwin/loader.c runs on Linux."""

import re
import tempfile
from pathlib import Path

from harness import BUILD, TOP, environment, execute, read_events
from macho import slices
from run import Skip

MACOS = TOP / "build-macos"
LIBRARY = MACOS / "libforkhound.dylib"
INTERPOSED = {"_exit", "daemon", "execl", "execle", "execlp", "execv", "execve", "execvp", "exit",
              "fork", "forkpty", "posix_spawn", "posix_spawnp", "pthread_atfork", "pthread_create"}
LIBSYSTEM = "/usr/lib/libSystem.B.dylib"
INTERPOSE = "__DATA,__interpose"
AD_HOC = 0x2


def images():
    if not LIBRARY.exists():
        raise Skip("not built: scripts/install-deps --macos && scripts/build-macos")
    found = slices(LIBRARY)
    assert set(found) == {"arm64", "x86_64"}, found
    return found


def test_links_without_a_warning():
    images()
    for name in ("arm64", "x86_64"):
        assert "warning:" not in (MACOS / name / "build.log").read_text(), name
        build = (MACOS / name / "build.ninja").read_text()
        assert "-Wl,-fatal_warnings" in build and "-Werror" in build, "a warning would be no error"


def test_interposed_pairs():
    for cpu, image in images().items():
        _, size, _ = image.sections[INTERPOSE]
        rebases, binds, defined = image.rebases(), image.binds(), image.defined()
        pairs = {}
        for i in range(size // 16):
            replacement, target = image.word(INTERPOSE, 2 * i)
            original, _ = image.word(INTERPOSE, 2 * i + 1)
            assert replacement in rebases, f"{cpu}: pair {i}: the replacement is not rebased"
            symbol, library = binds[original]
            assert library == LIBSYSTEM, f"{cpu}: {symbol} is bound to {library}"
            pairs[symbol] = defined[target]
        expected = {"_" + name: "_forkhound_" + name for name in INTERPOSED}
        if cpu == "x86_64":
            expected["_daemon$1050"] = "_forkhound_daemon"
        assert pairs == expected, f"{cpu}: {pairs}"
        for symbol in pairs:
            assert symbol in image.undefined(), f"{cpu}: {symbol} is defined here"


def test_platform_and_version():
    for cpu, image in images().items():
        assert image.filetype == 6, "no dylib"
        platform, oldest, _ = image.platform()
        assert platform == 1, f"{cpu}: platform {platform} is not macOS"
        assert oldest == (11, 0), f"{cpu}: oldest system {oldest}"


def test_only_libsystem_is_needed():
    for cpu, image in images().items():
        assert image.dylibs == [LIBSYSTEM], f"{cpu}: {image.dylibs}"
        foreign = {n: lib for n, lib in image.undefined().items() if lib != LIBSYSTEM}
        assert not foreign, f"{cpu}: {foreign}"


def test_is_signed_on_arm64():
    images()
    for file in (LIBRARY, MACOS / "forkhound"):
        flags = slices(file)["arm64"].signature_flags()
        assert flags is not None and flags & AD_HOC, (file, flags)


def test_the_command_links():
    images()
    for cpu, image in slices(MACOS / "forkhound").items():
        assert image.filetype == 2 and image.platform()[:2] == (1, (11, 0)), cpu
        assert set(image.dylibs) == {LIBSYSTEM, "@rpath/libjansson.4.dylib"}, image.dylibs


COMMAND = BUILD / "tests/darwin/forkhound_darwin"
LOADER = BUILD / "tests/darwin/macho_loader"
HAZARD = MACOS / "x86_64/tests/darwin/programs/hazard"


LIBRARY_X86_64 = MACOS / "x86_64/preload/libforkhound.dylib"


def run_program(*arguments, program=HAZARD, library=LIBRARY_X86_64, options="", flags=()):
    """The process that ended, and the events."""
    images()
    if not LOADER.exists():
        raise Skip("the loader is built with the unit tests: -Dunit_tests=enabled")
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        env = environment(DYLD_INSERT_LIBRARIES=str(library),
                          FORKHOUND_OPTIONS=f"log_path={log}" + (":" + options if options else ""))
        process = execute([LOADER, *flags, library, program, *arguments], env=env)
        return process, read_events(log)


# The first fork of a place suspends all three; the second does if that keeps within the budget.
def expect_balance(process, suspensions=(3, 6)):
    found = re.search(r"^loader: balanced after (\d+) suspensions\n\Z", process.stderr, re.M)
    assert found and int(found[1]) in suspensions, process.stderr


def functions(report, begin, end):
    start = report.index(begin)
    part = report[start:report.index(end, start + len(begin))]
    return re.findall(r"#\d+ +(\S+)", part)


def test_reports_a_hazard():
    process, events = run_program()
    report = process.stderr
    assert process.returncode == 7, process
    assert report.count("forkhound: HAZARD:") == 1, report
    assert "(hazard) runs on in a copy of a process that had 4 threads" in report, report
    assert "3 other threads were alive: 3 hazard" in report, report
    forker = functions(report, "Forked by", "Thread ")
    assert forker == ["fork_here", "main", "start"], report
    assert len(re.findall(r'Thread \d+ "sleeper" \(hazard\), (sleeping|running), stack', report)) == 3, report
    other = functions(report, "Thread ", "created by")
    assert other[-3:] == ["sleep_here", "sleeper", "_pthread_start"], report
    assert re.search(r"#0 +pause .*\n +#1 +sleep_here ", report), report
    maker = functions(report, "created by", "Thread ")
    assert maker[:2] == ["start_here", "main"], report
    expect_balance(process)

    first, again = [e for e in events if e["event"] == "fork"]
    assert first["entry"] == "fork" and first["threads"] == 4 and first["capture"] == "mach", first
    assert [t["thread"] for t in first["others"]] == ["sleeper"] * 3, first
    assert all(len(m["build_id"]) == 32 for m in first["modules"]), first["modules"]
    assert again["same_as"] == first["id"] and again["seen"] == 2, again
    ends = [e for e in events if e["event"] == "exit"]
    assert [e["status"] for e in ends] == [7, 7], ends
    assert {e["fork"] for e in ends} == {first["id"], again["id"]}, ends


def test_an_exec_is_no_hazard():
    process, events = run_program("/bin/true")
    assert process.returncode == 0 and "HAZARD" not in process.stderr, process.stderr
    execs = [e for e in events if e["event"] == "exec"]
    assert [e["path"] for e in execs] == ["/bin/true"] * 2, events
    # On macOS it would be in a place of the system's: its children would not be seen.
    blind = [e for e in events if e["event"] == "blind"]
    assert blind and all("System Integrity Protection" in e["why"] for e in blind), events
    expect_balance(process)


def test_an_exec_that_fails():
    process, events = run_program("/no/such/program")
    assert process.returncode == 7, process
    assert not [e for e in events if e["event"] == "exec"], events
    assert process.stderr.count("forkhound: HAZARD:") == 1, process.stderr


def test_fork_handlers_are_the_second_net():
    process, events = run_program(flags=["--only-handlers"])
    assert process.stderr.count("forkhound: HAZARD:") == 1, process.stderr
    first, again = [e for e in events if e["event"] == "fork"]
    assert "entry" not in first and first["threads"] == 4, first
    assert "fork_here" in functions(process.stderr, "Forked by", "Thread "), process.stderr
    expect_balance(process)


def test_without_a_capture_nothing_is_suspended():
    process, events = run_program(options="capture=off")
    forks = [e for e in events if e["event"] == "fork"]
    assert [e["capture"] for e in forks] == ["none", "none"], forks
    expect_balance(process, (0,))


def test_threads_that_must_not_be_suspended():
    process, events = run_program(options="capture=proc")
    forks = [e for e in events if e["event"] == "fork"]
    assert [e["capture"] for e in forks] == ["none", "none"], forks
    assert [t["thread"] for t in forks[0]["others"]] == ["sleeper"] * 3, forks[0]
    assert "There are no stacks of other threads: capture=proc, and" in process.stderr, process.stderr
    expect_balance(process, (0,))


def test_suppressions_know_the_symbols():
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("hazard:^fork_here$\n")
        file.flush()
        process, _ = run_program(options=f"suppressions={file.name}")
    assert "HAZARD" not in process.stderr, process.stderr
    expect_balance(process)


def run_calls(what, **how):
    return run_program(what, program=HAZARD.with_name("calls"), **how)


# Each form of exec is told of, gets its arguments, and gives our variables back to an environment
# that has lost them.
def test_the_exec_family():
    for call in ("execv", "execvp", "execl", "execlp", "execle", "execve"):
        process, events = run_calls(call)
        assert process.returncode == 0, (call, process)
        assert [e["path"] for e in events if e["event"] == "exec"] == ["/usr/bin/env"], (call, events)
        assert "HAZARD" not in process.stderr, (call, process.stderr)
        variables = process.stdout.splitlines()
        assert f"DYLD_INSERT_LIBRARIES={LIBRARY_X86_64}" in variables, (call, variables)
        assert any(v.startswith("FORKHOUND_OPTIONS=") for v in variables), (call, variables)
        letters = [v for v in variables if re.fullmatch("[A-G]=[0-9]", v)]
        if call in ("execl", "execlp"):
            assert letters == [f"{chr(64 + i)}={i}" for i in range(1, 8)], (call, variables)
        if call in ("execle", "execve"):
            assert len(variables) == 2 + (call == "execle"), (call, variables)
        expect_balance(process, (1,))


def test_spawning():
    for call in ("spawn", "spawnp"):
        process, events = run_calls(call)
        assert process.returncode == 0 and "HAZARD" not in process.stderr, (call, process)
        assert not [e for e in events if e["event"] == "fork"], (call, events)
        assert [e["path"] for e in events if e["event"] == "blind"] == ["/usr/bin/env"], (call, events)
        assert f"DYLD_INSERT_LIBRARIES={LIBRARY_X86_64}" in process.stdout, (call, process.stdout)


def test_a_thread_made_in_the_child_is_noted():
    _, events = run_calls("thread")
    assert [e["unsafe_calls"] for e in events if e["event"] == "exec"] == [["pthread_create"]], events


def test_threads_that_a_fork_handler_stops():
    process, events = run_calls("handlers")
    assert process.returncode == 9 and "HAZARD" not in process.stderr, process
    fork, = [e for e in events if e["event"] == "fork"]
    assert fork["threads"] == 1 and fork["threads_at_entry"] == 2, fork
    assert len(fork["gone"]) == 1, fork
    expect_balance(process, (0,))


def test_forkpty():
    process, events = run_calls("forkpty")
    assert process.returncode == 5, process
    assert [e["entry"] for e in events if e["event"] == "fork"] == ["forkpty"], events
    expect_balance(process, (1,))


def test_daemon():
    process, events = run_calls("daemon")
    assert process.returncode == 0 and process.stdout == "a daemon\n", process
    assert [e["entry"] for e in events if e["event"] == "fork"] == ["daemon"], events
    assert process.stderr.count("forkhound: HAZARD:") == 1, process.stderr


# exit() tells its status, and a return from main() does not.
def test_the_exit_status():
    process, _ = run_calls("exit", options="exitcode=66")
    assert process.returncode == 3, process
    process, _ = run_calls("return", options="exitcode=66")
    assert process.returncode == 66, process
    process, _ = run_calls("return")
    assert process.returncode == 0, process


def run_command(*arguments, program=HAZARD, flags=("--fail-on", "never"), **more):
    """`forkhound run` as built for macOS, of a program of macOS in the loader."""
    images()
    if not COMMAND.exists():
        raise Skip("the command is built with the unit tests: -Dunit_tests=enabled")
    env = environment(FORKHOUND_LIBRARY=str(LIBRARY_X86_64), **more)
    command = [COMMAND, "run", *flags, "--", *(arguments or (LOADER, LIBRARY_X86_64, program))]
    return execute(command, env=env)


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
        return run_command(program=HAZARD.with_name("deadlock"), FAKE_SAMPLER=str(sampler),
                           flags=("--fail-on", "suspect", "--stuck-after", "0.2", "--time-limit", "2"))


def test_a_deadlock_is_suspected_and_no_more():
    process = run_deadlock("__psynch_mutexwait")
    assert process.returncode == 124, process  # it is not ended before the time limit
    assert "forkhound: SUSPECT: child " in process.stderr, process.stderr
    assert "DEADLOCK" not in process.stderr, process.stderr
    assert "all 84 samples of a second found it in __psynch_mutexwait" in process.stderr, process.stderr
    assert 'Thread ' in process.stderr and '"holder" (made by deadlock)' in process.stderr, process.stderr
    assert "suspect at deadlock in push, forked at deadlock+" in process.stderr, process.stderr
    assert "1 hazard; 1 suspect" in process.stderr, process.stderr


def test_a_sampler_that_fails_is_told_of():
    process = run_command(program=HAZARD.with_name("deadlock"), FAKE_SAMPLER="/bin/false",
                          flags=("--stuck-after", "0.2", "--time-limit", "1"))
    assert "/bin/false could not look at child " in process.stderr, process.stderr
    process = run_command(program=HAZARD.with_name("deadlock"), FAKE_SAMPLER="/no/sampler",
                          flags=("--stuck-after", "0.2", "--time-limit", "1"))
    assert "/no/sampler: No such file or directory: children that are stuck" in process.stderr, process


def test_a_child_that_waits_for_data_is_not_suspected():
    assert "SUSPECT" not in run_deadlock("__read_nocancel").stderr
