"""The library for macOS, as scripts/build-macos cross-builds it: what dyld needs of it."""

from macho import slices
from macos import LIBRARY, MACOS, images

INTERPOSED = {"_exit", "daemon", "execl", "execle", "execlp", "execv", "execve", "execvp", "exit",
              "fork", "forkpty", "posix_spawn", "posix_spawnp", "pthread_atfork", "pthread_create"}
LIBSYSTEM = "/usr/lib/libSystem.B.dylib"
INTERPOSE = "__DATA,__interpose"
AD_HOC = 0x2


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
