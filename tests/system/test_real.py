"""Real software: what forkhound says against strace, /proc and the program's own words.

`judged` compares each multithreaded fork with strace: process, child, threads, exec or not. A second
run, without a tracer, is the one a user has: threads' names and stacks, findings, exit status, output.
"""

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from harness import COMMAND, driven, environment, execute, plain, read_events
from judge import judged
from run import Skip

PYTHON = "/usr/bin/python3"


def tool(name):
    path = shutil.which(name)
    if not path:
        raise Skip(f"{name} is not installed")
    return path


def python_has(module):
    if execute([PYTHON, "-c", f"import {module}"]).returncode:
        raise Skip(f"Debian's python3 has no module {module}")


def quiet(run):
    """Nothing but the counts of the last line."""
    assert "HAZARD" not in run.err and not run.named("deadlock") + run.named("suspect"), run.err


def same_result(run, without):
    assert (run.status, run.out) == (without.status, without.out), (run.status, without.status, run.err)


def names(fork):
    return sorted(o["thread"] for o in fork["others"])


# Redis

REDIS = r"""
cd "$1" || exit 9
ln -sf "$(command -v redis-check-rdb)" redis-server  # one program, told apart by its name
./redis-server --port 0 --unixsocket "$1/s" --dir "$1" --save '' --appendonly "$2" >log 2>&1 &
server=$!
ask() { redis-cli -s "$1/s" "${@:2}"; }
until [ "$(ask "$1" ping 2>/dev/null)" = PONG ]; do
  [ -d /proc/$server ] || exit 8
done
seq 300 | sed 's/.*/set key& value&/' | redis-cli -s "$1/s" >/dev/null
for task in /proc/$server/task/*; do
  [ "${task##*/}" = $server ] || echo "thread $(cat "$task/comm")"
done
echo "server $server"
for command in $3; do
  echo "$(ask "$1" $command)"
  while ask "$1" info persistence | tr -d '\r' | grep -Eq "^$4:1"; do :; done
done
ask "$1" info persistence | tr -d '\r' | grep -E '_status:'
ask "$1" --scan | sort | md5sum
ask "$1" get key77
ask "$1" shutdown nosave
wait $server
echo "status $?"
"""


def redis(how, appendonly, commands, done):
    tool("redis-cli")
    tool("redis-check-rdb")
    with tempfile.TemporaryDirectory() as folder:
        run = how(["bash", "-c", REDIS, "bash", folder, appendonly, commands, done])
        data = sorted(p.name for p in Path(folder).rglob("*") if p.suffix in (".rdb", ".aof"))
    return run, data


def answers(run):
    """What redis and its data said: not the number of the server, nor its threads of the moment."""
    return [line for line in run.out.splitlines() if not line.startswith(("server ", "thread "))]


def redis_persistence(appendonly, commands, done, forks):
    options = (appendonly, commands, done)
    without, files = redis(plain, *options)
    run, files_under = redis(driven, *options)
    assert files and files_under == files, files_under
    assert without.out.endswith("status 0\n"), without.out
    assert answers(run) == answers(without), (run.out, without.out)
    assert run.status == 0 and not run.named("deadlock") + run.named("suspect"), run.err
    server = int(re.search(r"^server (\d+)$", run.out, re.M).group(1))
    threads = sorted(re.findall(r"^thread (.*)$", run.out, re.M))
    assert "bio_lazy_free" in threads, threads
    assert len(run.named("fork")) == forks, run.named("fork")
    for fork in run.named("fork"):
        # jemalloc may start one more meanwhile.
        assert fork["pid"] == server and fork["threads"] >= len(threads) + 1, fork
    for fork in run.first_forks:
        assert set(names(fork)) == set(threads), fork
        assert "redisFork" in [f.get("function") for f in fork["site"]], fork["site"]
    assert run.err.count("forkhound: HAZARD") == len(run.first_forks), run.err
    for name in threads:
        assert f'"{name}"' in run.err, (name, run.err)
    judged_run, forks_seen = redis(lambda command: judged(command), *options)[0]
    assert len(forks_seen) == forks and not any(f.execs for f in forks_seen), forks_seen
    assert answers(judged_run) == answers(without), judged_run.out


def test_redis_bgsave():
    redis_persistence("no", "bgsave bgsave", "rdb_bgsave_in_progress", 2)


def test_redis_rewrites_its_append_only_file():
    redis_persistence("yes", "bgrewriteaof bgrewriteaof", "aof_rewrite_(in_progress|scheduled)", 2)


# Python

EXECUTORS = """
from concurrent.futures import ProcessPoolExecutor
import multiprocessing, os, threading
fork = multiprocessing.get_context("fork")
with ProcessPoolExecutor(2, fork) as first:
    print(sorted(first.map(abs, [-1, -2, -3])))
    print(len(os.listdir("/proc/self/task")), "threads", flush=True)
    with ProcessPoolExecutor(2, fork) as second:
        print(sorted(second.map(abs, [-4, -5, -6])))
"""


def test_second_process_pool_executor():
    """CPython 3.9 to 3.11 fork all workers of an executor before its own threads start."""
    command = [PYTHON, "-E", "-c", EXECUTORS]
    without, run = plain(command), driven(command)
    same_result(run, without)
    quiet_findings(run)
    threads = int(re.search(r"(\d+) threads", run.out).group(1))
    assert [f["threads"] for f in run.named("fork")] == [threads] * 2, run.named("fork")
    assert run.err.count("forkhound: HAZARD") == len(run.first_forks) == 1, run.err
    _, forks = judged(command)
    assert [(f.least, f.execs) for f in forks] == [(threads, False)] * 2, forks


def quiet_findings(run):
    assert not run.named("deadlock") + run.named("suspect"), run.err


POOL = """
import multiprocessing, os
if __name__ == "__main__":
    fork = multiprocessing.get_context("fork")
    with fork.Pool(2, maxtasksperchild=1) as pool:
        print(sorted(pool.map(abs, range(-8, 0), chunksize=1)))
        print("main", os.getpid())
        pool.close()
        pool.join()
"""


def test_pool_with_maxtasksperchild():
    """The pool's own thread replaces the workers, while its other threads live."""
    command = [PYTHON, "-E", "-c", POOL]
    without, run = plain(command), driven(command)
    assert run.status == without.status == 0, run.err
    assert run.out.splitlines()[0] == without.out.splitlines()[0]
    quiet_findings(run)
    main = int(run.out.split("main")[1])
    assert run.named("fork") and {f["pid"] for f in run.named("fork")} == {main}
    assert all(f["tid"] != main and f["threads"] >= 3 for f in run.named("fork")), run.named("fork")
    _, forks = judged(command)
    assert len(forks) >= 2 and not any(f.execs for f in forks), forks


LOGGING = """
import logging, os, threading
source, sink = os.pipe()
log = logging.getLogger()
log.addHandler(logging.StreamHandler(open(sink, "w")))
threading.Thread(target=log.error, args=("x" * 1000000,), daemon=True).start()
os.read(source, 1)  # the thread is in write(), with the stream's lock, until the pipe is read
child = os.fork()
if child == 0:
    log.error("from the child")
    os._exit(0)
print("child", child, flush=True)
print("ended by", os.waitpid(child, 0)[1], flush=True)
os._exit(0)
"""


def hangs_without_forkhound(command):
    """The truth: the child sleeps in a futex wait that has no timeout, and stays there."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        child = int(process.stdout.readline().split()[1])
        call = Path(f"/proc/{child}/syscall")
        deadline = time.monotonic() + 60
        seen = None
        try:
            while seen is None or seen != call.read_text() or not seen.startswith("202 "):
                assert time.monotonic() < deadline, seen
                seen = call.read_text()
                time.sleep(1)
            return int(seen.split()[4], 16) == 0
        finally:
            os.kill(child, signal.SIGKILL)
            assert process.stdout.read() == "ended by 9\n"


def deadlock_is_proven(code, words):
    command = [PYTHON, "-E", "-c", code]
    assert hangs_without_forkhound(command)
    run = driven(command, "--time-limit", "60")
    assert run.status == 66, (run.status, run.err)
    child = int(run.out.split()[1])
    assert run.out.endswith("ended by 9\n"), run.out
    (finding,) = run.named("deadlock")
    (fork,) = run.first_forks
    assert finding["pid"] == fork["child"] == child and finding["fork"] == fork["id"]
    assert run.err.count("forkhound: DEADLOCK: ") == 1 and words in run.err, run.err
    return run


def test_logging_after_fork():
    run = deadlock_is_proven(LOGGING, "SUMMARY: forkhound: deadlock")
    assert run.first_forks[0]["threads"] == 2, run.first_forks


QUEUE = """
import logging, logging.handlers, os, queue, sys
lines = queue.Queue()
handler = logging.handlers.QueueHandler(lines)
listener = logging.handlers.QueueListener(lines, logging.StreamHandler(sys.stdout))
log = logging.getLogger()
log.addHandler(handler)
listener.start()
child = os.fork()
if child == 0:
    log.error("nobody listens")
    {in_child}
    os._exit(7)
print("child", child, flush=True)
print("ended by", os.waitpid(child, 0)[1], flush=True)
log.error("from the parent")
listener.stop()
"""


def test_queue_handler_whose_child_goes_on():
    command = [PYTHON, "-E", "-c", QUEUE.format(in_child="")]
    run, without = driven(command), plain(command)
    lines = run.out.splitlines()[1:]
    assert lines == without.out.splitlines()[1:] == ["ended by 1792", "from the parent"], run.out
    quiet_findings(run)
    assert run.status == 0 and run.err.count("forkhound: HAZARD") == 1, run.err
    _, forks = judged(command)
    assert [(f.least, f.execs) for f in forks] == [(2, False)], forks


def test_queue_handler_whose_child_waits_for_the_listener():
    code = QUEUE.format(in_child="lines.join()").replace("listener.stop()", "os._exit(0)")
    command = [PYTHON, "-E", "-c", code.replace('log.error("from the parent")', "")]
    assert hangs_without_forkhound(command)
    deadlock_is_proven(command[-1], "SUMMARY: forkhound: deadlock")


APPLICATION = """
import threading
threading.Thread(target=threading.Event().wait, daemon=True, name="in the app").start()
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""


class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.host)


def ask(path):
    connection = Unix(str(path), timeout=20)
    connection.request("GET", "/", headers={"Host": "test"})
    answer = connection.getresponse()
    return answer.status, answer.read()


def gunicorn(prefix, folder):
    """The output, the answers, and the pids of the workers."""
    command = [*prefix, PYTHON, "-E", "-m", "gunicorn", "--preload", "--workers", "2", "--bind",
               f"unix:{folder}/s", "--pid", f"{folder}/pid", "--chdir", folder, "application:app"]
    (Path(folder) / "application.py").write_text(APPLICATION)
    with subprocess.Popen([str(c) for c in command], stderr=subprocess.PIPE, text=True,
                          env=environment()) as process:
        err, workers = "", []
        while len(workers) < 2:
            line = process.stderr.readline()
            assert line, err
            err += line
            workers += re.findall(r"Booting worker with pid: (\d+)", line)
        answers = [ask(f"{folder}/s") for _ in range(6)]
        os.kill(int((Path(folder) / "pid").read_text()), signal.SIGTERM)
        err += process.stderr.read()
    return process.returncode, err, answers, sorted(int(w) for w in workers)


def test_gunicorn_with_a_preloaded_application():
    python_has("gunicorn")
    with tempfile.TemporaryDirectory() as folder:
        status, _, answers, _ = gunicorn([], folder)
        assert status == 0 and answers == [(200, b"hello")] * 6
        log = Path(folder) / "log"
        under, err, answers, workers = gunicorn([COMMAND, "run", "--log", log, "--"], folder)
        events = read_events(log)
    assert under == status and answers == [(200, b"hello")] * 6, err
    forks = [e for e in events if e["event"] == "fork"]
    assert sorted(f["child"] for f in forks) == workers, forks
    assert {f["threads"] for f in forks} == {2}, forks
    assert err.count("forkhound: HAZARD") == 1 and "DEADLOCK" not in err, err


# Others

RUBY = r"""
thread = Thread.new { Thread.stop }
thread.name = "live one"
sleep 0.001 until thread.stop?
3.times { |i| Process.wait(Process.fork { exit!(i) }); puts $?.exitstatus }
system("true") and puts Dir.children("/proc/self/task").size
puts `echo from a shell`
"""


def test_ruby():
    ruby = tool("ruby")
    command = [ruby, "-e", RUBY]
    without, run = plain(command), driven(command)
    same_result(run, without)
    quiet_findings(run)
    hazards = [f for f in run.named("fork") if f["child"] not in {e["pid"] for e in run.named("exec")}]
    assert len(hazards) == 3 and all(f["threads"] == 2 for f in hazards), hazards
    assert names(hazards[0]) == ["live one"], hazards
    assert [e["status"] for e in run.named("exit")] == [0, 1, 2], run.named("exit")
    assert run.err.count("forkhound: HAZARD") == 1, run.err
    _, forks = judged(command)
    assert len([f for f in forks if not f.execs]) == 3, forks


def only_execs(command, at_least, cwd=None):
    without, run = plain(command, cwd=cwd), driven(command, cwd=cwd)
    same_result(run, without)
    quiet(run)
    traced, forks = judged(command, cwd=cwd)
    assert traced.status == without.status
    assert len(forks) >= at_least and all(f.execs for f in forks), forks
    assert len(run.named("fork")) >= at_least, run.err
    return run


NODE = """
const { execFileSync, spawnSync, exec, fork } = require('child_process');
console.log(execFileSync('echo', ['hello']).toString());
console.log(spawnSync('sh', ['-c', 'exit 5']).status);
exec('echo one; echo two >&2', (error, out, err) => {
  console.log(error, out, err);
  const child = fork(process.argv[1], ['child']);
  child.on('message', (m) => console.log(m));
  child.on('exit', (code, signal) => console.log(code, signal));
});
"""


def test_node_child_process():
    node = tool("node")
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "main.js"
        script.write_text("if (process.argv[2]) { process.send({a: 1}); process.exit(6); }\n" + NODE)
        only_execs([node, script], 4)


JAVA = """
public class Main {
  public static void main(String[] arguments) throws Exception {
    for (int i = 0; i < 3; i++) {
      Process process = new ProcessBuilder("sh", "-c", "echo $PPID; exit " + i).start();
      long parent = Long.parseLong(new String(process.getInputStream().readAllBytes()).trim());
      System.out.println(process.waitFor() + " " + (parent == ProcessHandle.current().pid()));
    }
  }
}
"""


def test_java_process_builder():
    java = tool("java")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "Main.java"
        source.write_text(JAVA)
        command = [java, "-Xshare:auto", "-Djdk.lang.Process.launchMechanism=FORK", source]
        if plain(command).status:
            raise Skip("java cannot compile: no JDK")
        run = only_execs(command, 3)
    assert run.out.split() == ["0", "true", "1", "true", "2", "true"]
    assert all(f["threads"] > 5 for f in run.named("fork")), run.named("fork")


def test_git_clone():
    git = tool("git")
    with tempfile.TemporaryDirectory() as folder:
        env = environment(HOME=folder, GIT_CONFIG_NOSYSTEM="1", GIT_AUTHOR_NAME="n",
                          GIT_AUTHOR_EMAIL="e", GIT_COMMITTER_NAME="n", GIT_COMMITTER_EMAIL="e")
        origin = Path(folder) / "origin"
        plain([git, "init", "-q", origin], env=env)
        for i in range(40):
            (origin / f"file{i}").write_text(f"{i}\n" * 100)
        plain([git, "add", "."], env=env, cwd=origin)
        assert plain([git, "commit", "-q", "-m", "message"], env=env, cwd=origin).status == 0
        script = f'rm -rf "$2"; {git} clone -q "file://$1" "$2" && cd "$2" && {git} fsck && cat file39'
        command = ["sh", "-c", script, "sh", origin, Path(folder) / "clone"]
        without, run = plain(command, env=env), driven(command, env=env)
        same_result(run, without)
        assert without.status == 0, without.err
        quiet(run)
        traced, forks = judged(command, env=env)
    assert traced.status == 0 and forks and all(f.execs for f in forks), forks
    assert len(run.named("fork")) == len(forks), (len(forks), run.err)


MAKEFILE = """
all: $(foreach i,1 2 3 4 5 6 7 8,o$(i))
o%: ; @echo "int f$*(void) { return $*; }" >s$*.c && gcc -c -o $@ s$*.c && cat s$*.c
"""


def test_make():
    make = tool("make")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Makefile").write_text(MAKEFILE)
        command = [make, "-s", "-j4", "-B"]
        without, run = plain(command, cwd=folder), driven(command, cwd=folder)
        _, forks = judged(command, cwd=folder)
    assert run.status == without.status == 0, run.err
    assert sorted(run.out.splitlines()) == sorted(without.out.splitlines())
    assert not forks and run.err == without.err == "", run.err


NUMPY = """
import numpy, os
a = numpy.ones((500, 500))
print(int((a @ a).sum()), flush=True)
print(len(os.listdir("/proc/self/task")), "threads", flush=True)
child = os.fork()
if child == 0:
    print(int((a @ a).sum()), flush=True)
    os._exit(0)
print(os.waitpid(child, 0)[1])
"""


def test_numpy_with_openblas():
    python_has("numpy")
    command = [PYTHON, "-E", "-c", NUMPY]
    env = environment(OPENBLAS_NUM_THREADS="4")
    without, run = plain(command, env=env), driven(command, env=env)
    same_result(run, without)
    quiet(run)
    # OpenBLAS's own fork handler ends its threads before the clone.
    pool = int(re.search(r"(\d+) threads", run.out).group(1)) - 1
    if pool == 0:
        raise Skip("OpenBLAS starts no threads on this machine")
    (fork,) = run.named("fork")
    assert fork["threads"] == 1 and len(fork["gone"]) == pool, fork
    _, forks = judged(command, env=env)
    assert not forks, [vars(f) for f in forks]


TORCH = """
import os, torch
torch.set_num_threads(4)
x = torch.rand(1000000)
def work():
    return (x * 2).exp().sum()
work()
if os.fork() == 0:
    work()
    os._exit(0)
os.wait()
"""


def test_torch_in_the_child():
    """PyTorch on GNU OpenMP: the child waits for a team whose threads were left behind."""
    python_has("torch")
    run = driven([PYTHON, "-c", TORCH], "--time-limit", "60")
    if not any(g["module"].startswith("libgomp") for f in run.first_forks for g in f["groups"]):
        raise Skip("this PyTorch is not built on GNU OpenMP")
    (finding,) = run.named("deadlock")
    assert run.status == 66 and finding["lock"]["kind"] == "barrier of an OpenMP team", finding["lock"]
    assert re.search(r"called from .*:6 in work, forked at .*:8 in <module>", run.err), run.err[-2000:]
    assert "GNU OpenMP: " in run.err and "PyTorch: " in run.err, run.err[-2000:]
