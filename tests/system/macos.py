"""What scripts/build-macos has built, and how it is run on Linux."""

import tempfile
from pathlib import Path

from harness import BUILD, TOP, environment, execute, read_events
from macho import slices
from run import Skip

MACOS = TOP / "build-macos"
LIBRARY = MACOS / "libforkhound.dylib"
LIBRARY_X86_64 = MACOS / "x86_64/preload/libforkhound.dylib"
COMMAND = BUILD / "tests/darwin/forkhound_darwin"
LOADER = BUILD / "tests/darwin/macho_loader"
HAZARD = MACOS / "x86_64/tests/darwin/programs/hazard"
DEADLOCK = HAZARD.with_name("deadlock")
CALLS = HAZARD.with_name("calls")


def images():
    if not LIBRARY.exists():
        raise Skip("not built: scripts/install-deps --macos && scripts/build-macos")
    found = slices(LIBRARY)
    assert set(found) == {"arm64", "x86_64"}, found
    return found


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


def run_command(*arguments, program=HAZARD, flags=("--fail-on", "never"), **more):
    """`forkhound run` as built for macOS, of a program of macOS in the loader."""
    images()
    if not COMMAND.exists():
        raise Skip("the command is built with the unit tests: -Dunit_tests=enabled")
    env = environment(FORKHOUND_LIBRARY=str(LIBRARY_X86_64), **more)
    command = [COMMAND, "run", *flags, "--", *(arguments or (LOADER, LIBRARY_X86_64, program))]
    return execute(command, env=env)
