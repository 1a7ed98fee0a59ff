"""What the library for macOS does in programs of macOS, which tests/darwin/loader.c runs on Linux."""

import re
import tempfile

from macos import CALLS, LIBRARY_X86_64, run_program


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
    return run_program(what, program=CALLS, **how)


# Each form of exec is told of, gets its arguments, and gives our variables back to an environment
# that has lost them.
def test_the_exec_family():
    for call in ("execv", "execvp", "execl", "execlp", "execle", "execve", "setexec", "setexecp"):
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
        if call in ("execle", "execve", "setexec", "setexecp"):
            assert len(variables) == 2 + (call == "execle"), (call, variables)
        expect_balance(process, (1,))


def test_an_exec_by_spawn_that_fails():
    process, events = run_calls("setexec_fails")
    assert process.returncode == 9, process
    assert [e.get("error") for e in events if e["event"] == "exec"] == [None, "EACCES"], events


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
