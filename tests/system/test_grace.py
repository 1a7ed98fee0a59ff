"""A job whose stuck children were ended comes to its end, too; one that has work left is let alone."""


import shutil
import signal
import socket
import subprocess
import tempfile
import textwrap
import time
from pathlib import Path

from harness import COMMAND, PROGRAMS, build_program, driven, environment, plain
from run import Skip

QUICK = ("--stuck-after", "0.3", "--grace", "1.5")
PYTHON = "/usr/bin/python3"


def given_up(run, words):
    assert run.status == 66, (run.status, run.err[-2000:])
    (event,) = run.named("given_up")
    assert words in event["why"], event["why"]
    assert f"forkhound: ended the program: " in run.err and words in run.err, run.err[-2000:]
    assert run.events[-1]["event"] == "end" and "multithreaded fork" in run.err.splitlines()[-1], run.err
    return event


IDLE = "it has not forked, written or used a processor"
AGAIN = "deadlocked at the same place 3 times, one after the other, and nothing else went on"


def test_pool_map():
    run = driven([PYTHON, PROGRAMS / "python_jobs.py", "map"], *QUICK)
    event = given_up(run, "")
    # Where it hangs: in the line that calls map().
    frames = [f for t in event["others"] for f in t.get("python", [])]
    assert any(f["file"].endswith("python_jobs.py") and f["function"] == "main" for f in frames), frames
    assert "was at:" in run.err and "Pool.map" in run.err, run.err[-2000:]


def test_pool_that_respawns():
    given_up(driven([PYTHON, PROGRAMS / "python_jobs.py", "respawn"], *QUICK), AGAIN)


def test_executor_ends_by_itself():
    run = driven([PYTHON, PROGRAMS / "python_jobs.py", "executor"], *QUICK)
    assert run.status == 66 and run.out.strip() == "BrokenProcessPool", (run.status, run.out, run.err[-2000:])
    assert not run.named("given_up"), run.named("given_up")


def test_data_loader():
    main = textwrap.dedent("""
        import torch, torch.utils.data as data
        torch.set_num_threads(2)
        torch.rand(300, 300) @ torch.rand(300, 300)
        class Set(data.Dataset):
            def __len__(self): return 4
            def __getitem__(self, i): return torch.rand(300, 300) @ torch.rand(300, 300)
        print(len(list(data.DataLoader(Set(), num_workers=1))))
    """)
    if plain([PYTHON, "-c", "import torch.utils.data"]).status:
        raise Skip("the system's Python has no torch")
    run = driven([PYTHON, "-c", main], *QUICK, "--time-limit", "100")
    assert run.status in (0, 1, 66), (run.status, run.err[-2000:])


def test_prefork_loop():
    run = driven([build_program("prefork"), "respawn"], *QUICK)
    given_up(run, AGAIN)
    assert len(run.named("deadlock")) >= 3, run.named("deadlock")


def test_server_that_serves():
    """Its other worker has work: it is ended by the time limit alone, and the finding comes first."""
    run = driven([build_program("prefork"), "serves"], *QUICK, "--time-limit", "6")
    assert run.status == 66 and not run.named("given_up"), (run.status, run.named("given_up"))
    assert len(run.named("deadlock")) > 3 and "time limit of 6 s reached" in run.err, run.err[-2000:]


def test_parent_that_waits():
    event = given_up(driven([build_program("prefork"), "waits"], *QUICK), IDLE)
    functions = [f.get("function") for t in event["others"] for f in t["stack"]]
    assert "main" in functions and "holder" in functions, functions


def test_parent_that_computes():
    run = driven([build_program("prefork"), "computes"], *QUICK)
    assert run.status == 66 and not run.named("given_up"), (run.status, run.err[-2000:])


def test_never():
    for options in (["--grace", "0"], ["--on-deadlock", "report"], ["--on-deadlock", "stop"]):
        run = driven([build_program("prefork"), "waits"], "--stuck-after", "0.3", "--grace", "0.5", *options,
                     "--time-limit", "3")
        assert run.status == 66 and not run.named("given_up"), (options, run.status, run.err[-2000:])


def test_bad_value():
    run = plain([COMMAND, "run", "--grace", "x", "--", "true"])
    assert run.status == 125 and "--grace: expected a number of seconds" in run.err, run.err


APPLICATION = """
import os, threading
lock, held = threading.Lock(), threading.Event()
def hold():
    with lock:
        held.set()
        threading.Event().wait()
threading.Thread(target=hold, daemon=True).start()
held.wait()
if os.environ["HANGS"] == "at start":
    def post_fork(): lock.acquire()
    os.register_at_fork(after_in_child=post_fork)
def app(environ, start_response):
    if environ["PATH_INFO"] == "/hang":
        lock.acquire()
    start_response("200 OK", [])
    return [b"served"]
"""


def gunicorn(folder, port, hangs, *options):
    (folder / "application.py").write_text(APPLICATION)
    return [COMMAND, "run", "--log", folder / "log", *QUICK, *options, "--", "gunicorn", "--preload", "-w", "2",
            "-t", "60", "-b", f"127.0.0.1:{port}", "--chdir", folder, "application:app"], environment(HANGS=hangs)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(port, path):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        s.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        return b"".join(iter(lambda: s.recv(4096), b""))


def test_gunicorn():
    if not shutil.which("gunicorn"):
        raise Skip("gunicorn is not installed")
    with tempfile.TemporaryDirectory() as folder:
        command, env = gunicorn(Path(folder), free_port(), "at start")
        run = plain(command, env=env, limit=100)
        assert run.status == 66 and AGAIN in run.err, (run.status, run.err[-2000:])


def test_gunicorn_that_serves():
    """One request hangs a worker; requests go on, and so does the server, beyond the grace period."""
    if not shutil.which("gunicorn"):
        raise Skip("gunicorn is not installed")
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        command, env = gunicorn(Path(folder), port, "on request")
        with open(Path(folder) / "err", "w") as err, \
                subprocess.Popen([str(c) for c in command], env=env, stdout=err, stderr=err) as process:
            try:
                end = time.monotonic() + 60
                while time.monotonic() < end:
                    try:
                        if get(port, "/").endswith(b"served"):
                            break
                    except OSError:
                        time.sleep(0.05)
                with socket.create_connection(("127.0.0.1", port)) as hung:
                    hung.sendall(b"GET /hang HTTP/1.0\r\n\r\n")
                    hung.settimeout(60)
                    hung.recv(1)  # its worker was ended
                begin = time.monotonic()
                while time.monotonic() < begin + 4:  # more than twice the grace period
                    assert get(port, "/").endswith(b"served")
                assert process.poll() is None, process.returncode
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(60)
        text = (Path(folder) / "err").read_text()
        assert "forkhound: DEADLOCK" in text and "ended the program" not in text, text[-2000:]
