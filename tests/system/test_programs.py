"""Each program of tests/programs against the truth of its first comment, bare and under the command."""

from harness import PROGRAMS, bare, build_program, driven, plain, truth_of


def check(run, truth):
    assert run.status == 0, (run.status, run.err)
    forks = run.named("fork")
    if "forks" in truth:
        assert len(forks) == int(truth["forks"]), (len(forks), run.err)
    if "exits" in truth:
        # Each fork has its outcome: no event is lost.
        assert {e["fork"] for e in run.named("exit")} == {e["id"] for e in forks}
        assert {e["status"] for e in run.named("exit")} == {int(truth["exit_statuses"])}
        return
    if "sites" in truth:
        assert len(run.first_forks) == int(truth["sites"]), [e["id"] for e in run.first_forks]
    for fork in forks:
        for key in ("threads", "threads_at_entry"):
            assert fork[key] == int(truth.get(key, fork[key])), fork
        for key in ("entry", "capture"):
            assert fork[key] == truth.get(key, fork[key]) or "same_as" in fork, fork
        assert len(fork.get("gone", [])) == int(truth.get("gone", 0)), fork
    execs, exits = run.named("exec"), run.named("exit")
    if "exec" in truth:
        assert len(execs) == int(truth["exec"]), execs
        assert all(e["fork"] == forks[0]["id"] and e["after_us"] >= 0 for e in execs)
        assert [e.get("unsafe_calls", []) for e in execs] == [
            truth["unsafe"].split(",") if "unsafe" in truth else []] * len(execs), execs
    if "exit" in truth:
        assert [e["status"] for e in exits] == [int(truth["exit"])], exits
    for first in run.first_forks:
        if first["threads"] > 1:
            assert len(first["others"]) == first["threads"] - 1
            assert sum(g["count"] for g in first["groups"]) == first["threads"] - 1
            assert first["site"], first
            assert all(o["stack"] and o["created_by"] for o in first["others"])
    if "name" in truth:
        assert forks[0]["others"][0]["thread"] == '\x1b[31m"quo\\te', forks[0]["others"][0]
    if "group" in truth:
        assert forks[0]["groups"] == [{"module": truth["group"], "count": 3}], forks[0]["groups"]


def one(source):
    def test():
        truth = truth_of(source)
        program = build_program(source.stem)
        without = plain([program])
        assert without.status == 0, without.err
        run = bare([program])
        check(run, truth)
        assert "\x1b" not in run.err
        if "exits" in truth:
            return
        hazards = run.err.count("forkhound: HAZARD: ")
        accused = [e for e in run.first_forks if e["threads"] > 1]
        counted = truth.get("exec", "0") != "0" or "silent" in truth
        expected = 0 if counted else len(accused)
        assert hazards == expected, (hazards, run.err)
        for function in filter(None, truth.get("functions", "").split(",")):
            assert function in run.err, run.err
        under = driven([program])
        check(under, truth)
    return test


def generated():
    return {f"test_{s.stem}": one(s) for s in sorted(PROGRAMS.glob("*.c"))
            if "truth:" in s.read_text()}
