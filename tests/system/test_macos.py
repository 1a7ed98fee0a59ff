"""The library for macOS, as scripts/build-macos cross-builds it: what dyld needs of it."""

from harness import TOP
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
        log = (MACOS / name / "build.log").read_text()
        assert "warning" not in log, log


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
    flags = images()["arm64"].signature_flags()
    assert flags is not None and flags & AD_HOC, flags
