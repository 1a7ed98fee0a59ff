"""What a user sees of the command: statuses, messages, reports."""

import json
import signal
import tempfile
from pathlib import Path

from harness import (COMMAND, PROGRAMS, bare, build_program, driven, environment, execute,
                     plain)
from run import Skip


def test_own_statuses():
    assert driven(["true"]).status == 0
    assert driven(["sh", "-c", "exit 3"]).status == 3
    assert driven(["sh", "-c", "kill -TERM $$"]).status == 128 + signal.SIGTERM
    assert driven(["/does/not/exist"]).status == 127
    assert driven(["/etc/passwd"]).status == 126


def test_bad_options_are_one_clear_line():
    for arguments in (["--fail-on", "x"], ["--error-exitcode", "0"], ["--banana"]):
        run = execute([COMMAND, "run", *arguments, "--", "true"])
        assert run.returncode == 125, arguments
        assert arguments[0].lstrip("-") in run.stderr, run.stderr


def test_output_is_untouched():
    assert driven(["echo", "hello"]).out == "hello\n"
    assert driven(["true"]).err == ""


def test_log_on_a_full_disk():
    run = execute([COMMAND, "run", "--log", "/dev/full", "--", build_program("idle_threads")])
    assert run.returncode == 0
    assert run.stderr.count("/dev/full: No space left on device") == 1, run.stderr
    assert run.stderr.count("SUMMARY: forkhound: hazard") == 1, run.stderr


def test_hazard_report():
    run = driven([build_program("idle_threads")], "--fail-on", "hazard")
    assert run.status == 66, run.err
    assert run.err.count("HAZARD") == 1, run.err
    assert run.err.count("SUMMARY: forkhound: hazard") == 1, run.err
    assert "idle_threads.c:" in run.err, run.err
    for function in ("in_cond", "in_read", "in_sleep", "fork_here"):
        assert function in run.err, run.err


def test_threads_beyond_the_most_are_counted():
    program, options, groups = [build_program("storm"), "1"], "max_threads=2", "2 storm, 6 not looked at"
    run = driven(program, env=environment(FORKHOUND_OPTIONS=options))
    assert f"Other threads: {groups}\n" in run.err and f"({groups})" in run.err, run.err
    run = bare(program, options)
    assert f"8 other threads were alive: {groups}\n" in run.err, run.err


def test_exec_is_a_count():
    run = driven([build_program("fork_exec")], "--fail-on", "hazard")
    assert run.status == 0, run.err
    assert "HAZARD" not in run.err and "1 exec" in run.err, run.err


def test_report_of_a_truncated_log():
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        run = execute([COMMAND, "run", "--log", log, "--", build_program("idle_threads")])
        lines = log.read_text().splitlines()
        assert "fork" in {json.loads(line)["event"] for line in lines}
        again = execute([COMMAND, "report", log])
        assert again.returncode == 0 and "HAZARD" in again.stdout + again.stderr
        log.write_text("\n".join(lines) + '\n{"v":1,"event":"fo')
        again = execute([COMMAND, "report", log])
        assert "HAZARD" in again.stdout + again.stderr
        assert f"{log}:{len(lines) + 1}:" in again.stderr, again.stderr
    assert execute([COMMAND, "report", "/does/not/exist"]).returncode == 125


def test_openblas_threads_are_not_accused():
    code = """if True:
        import os
        import numpy
        a = numpy.ones((500, 500))
        a @ a
        if os.fork() == 0:
            os._exit(0)
        os.wait()
    """
    if execute(["/usr/bin/python3", "-c", "import numpy"]).returncode != 0:
        raise Skip("numpy is not installed")
    run = bare(["/usr/bin/python3", "-c", code])
    assert run.status == 0 and "HAZARD" not in run.err, run.err
    assert [e["threads"] for e in run.named("fork")] == [1], run.events
    assert run.named("fork")[0]["gone"], run.events


def test_suppressions():
    program = build_program("idle_threads")
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "lines"
        lines.write_text("hazard:^in_read$\n")
        run = driven([program], "--fail-on", "hazard", "--suppressions", lines)
        assert run.status == 66 and "HAZARD" in run.err, run.err
        lines.write_text("hazard:^in_read$\nhazard:^in_cond$\nhazard:in_sleep\nwhat\n")
        run = driven([program], "--fail-on", "hazard", "--suppressions", lines)
        assert run.status == 0 and "HAZARD" not in run.err, run.err
        assert "suppressed:" not in run.err, run.err
        run = driven([program], "--suppressions", lines,
                     env=environment(FORKHOUND_OPTIONS="print_suppressions=1"))
        assert "suppressed: 1 hazard:^in_cond$" in run.err, run.err
        assert f"{lines}:4: expected hazard:PATTERN" in run.err, run.err
        lines.write_text("deadlock:wait_in_child\n")
        run = driven([build_program("locks")], "--suppressions", lines)
        assert run.status == 128 + 9 and "DEADLOCK" not in run.err, run.err
    run = driven(["true"], "--suppressions", "/does/not/exist")
    assert run.status == 125, run.err


def test_generated_suppressions():
    """They leave out what they were generated from."""
    with tempfile.TemporaryDirectory() as folder:
        log, lines = Path(folder) / "log", Path(folder) / "lines"
        for command in (["idle_threads"], ["locks", "semaphore"], ["locks", "timed"]):
            execute([COMMAND, "run", "--log", log, "--time-limit", "3", "--stuck-after", "0.5", "--",
                     build_program(command[0]), *command[1:]])
            run = execute([COMMAND, "report", "--gen-suppressions", log])
            assert run.returncode == 0 and "# no line" not in run.stdout, run.stdout
            lines.write_text(run.stdout)
            report = execute([COMMAND, "report", "--suppressions", lines, "--report", "json", log])
            summary = json.loads(report.stdout)["summary"]
            assert (summary["hazard"], summary["suspect"], summary["deadlock"]) == (0, 0, 0), summary
            again = execute([COMMAND, "report", "--gen-suppressions", "--suppressions", lines, log])
            assert again.stdout == "", again.stdout


def test_kernel_workers_are_harmless():
    """Those of io_uring are tasks of the process, and hold no lock of it."""
    program = build_program("io_uring")
    if plain([program]).status == 77:
        raise Skip("the kernel has no io_uring for us")
    run = driven([program], "--fail-on", "hazard",
                 env=environment(FORKHOUND_OPTIONS="print_suppressions=1"))
    assert run.status == 0 and "HAZARD" not in run.err, (run.status, run.err)
    (fork,) = run.named("fork")
    assert fork["threads"] > 1 and "suppressed: 1 hazard:^iou-sqp-" in run.err, (fork, run.err)


def test_an_exec_that_fails_is_no_hazard():
    run = driven([build_program("exec_fails")], "-v", "--fail-on", "hazard")
    assert run.status == 0 and "2 exec'd" in run.err, run.err
    assert "could not exec (ENOENT) and exited with status 1" in run.err, run.err
    absent, text = run.named("exit")
    assert absent["exec_error"] == "ENOENT" and text["exec_error"] == "ENOEXEC", run.events
    # The second was told of before it was tried.
    assert [e.get("error") for e in run.named("exec")] == [None, "ENOEXEC"], run.named("exec")


def test_options_of_the_environment():
    program = build_program("two_sites")
    assert bare([program], "exitcode=7").status == 7
    assert bare([build_program("fork_exec")], "exitcode=7").status == 0
    assert "\x1b[1;31mforkhound: HAZARD" in bare([program], "color=always").err
    assert "\x1b[" not in bare([program]).err
    env = environment(FORKHOUND_OPTIONS=f"strip_path_prefix={PROGRAMS}/:exitcode=9:colour=x")
    run = driven([program], "--fail-on", "hazard", env=env)
    assert run.status == 9, run.err
    assert "SUMMARY: forkhound: hazard at two_sites.c:" in run.err, run.err
    assert run.err.count("unknown key 'colour'") == 1, run.err


def test_suppressions_of_the_library_alone():
    program = build_program("two_sites")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "suppressions"
        for pattern, silent in (("^two_sites$", True), ("idle", True), ("^idl$", False)):
            file.write_text(f"# known\ndeadlock:idle\nhazard:{pattern}\n")
            run = bare([program], f"suppressions={file}:exitcode=7")
            assert run.err.count("HAZARD") == (0 if silent else 2), (pattern, run.err)
            assert run.status == (0 if silent else 7), (pattern, run.status)
        run = bare([program], f"suppressions={folder}/absent")
    assert run.err.count("absent': cannot be opened") == 1, run.err
