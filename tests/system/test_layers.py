"""scripts/layers: the tree keeps its order of rooms, and a fault in it is seen."""

import subprocess
import tempfile
from pathlib import Path

from harness import TOP


def layers(top):
    result = subprocess.run([TOP / "scripts/layers", top], capture_output=True, text=True)
    return result.returncode, result.stdout


def small_tree(folder, files):
    (folder / "scripts").mkdir()
    (folder / "scripts/layers.txt").write_text("# bottom to top\ncommon: text\npreload: os fork\ncli: base\n")
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def faults_of(files):
    with tempfile.TemporaryDirectory() as folder:
        small_tree(Path(folder), files)
        status, output = layers(folder)
        assert status == (0 if "layers: 0 faults" in output else 1), output
        return output


GOOD = {"common/text/a.h": "", "preload/os/b.h": '#include "common/text/a.h"\n', "cli/base/c.h": "",
        "preload/fork/d.c": '#include "d.h"\n#include "os/b.h"\n', "preload/fork/d.h": ""}


def test_tree_keeps_its_order():
    status, output = layers(TOP)
    assert status == 0, output


def test_faults_are_seen():
    assert "layers: 0 faults" in faults_of(GOOD)
    for name, text, expected in (
            ("preload/os/b.h", '\n#include "fork/d.h"\n', "preload/os/b.h:2: goes up to preload/fork/d.h"),
            ("common/text/a.h", '#include "cli/base/c.h"\n', "common/text/a.h:1: goes up to cli/base/c.h"),
            ("cli/base/c.h", '#include "preload/os/b.h"\n', "cli/base/c.h:1: goes up to preload/os/b.h"),
            ("cli/base/c.h", '#include "nowhere.h"\n', 'cli/base/c.h:1: "nowhere.h" is in no room'),
            ("preload/new/e.c", "", "preload/new/e.c:1: 'new' is no room")):
        output = faults_of(GOOD | {name: text})
        assert expected in output, output


def test_circles_are_seen():
    circle = {"preload/os/b.h": '#include "e.h"\n', "preload/os/e.c": '#include "e.h"\n#include "b.h"\n',
              "preload/os/e.h": ""}
    output = faults_of(GOOD | circle)
    assert "preload/os/e.c:2: in a circle of 2: preload/os/e includes preload/os/b" in output, output
    own = {"preload/os/b.h": "", "preload/os/b.c": '#include "b_internal.h"\n',
           "preload/os/b_internal.h": '#include "b.h"\n'}
    assert "layers: 0 faults" in faults_of(GOOD | own)
