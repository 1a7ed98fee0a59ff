"""Where the sources of the suites come from: Debian's archive, or a checkout named by the user."""

import os
import shutil
import subprocess
from pathlib import Path


class Absent(Exception):
    """The suite cannot be had here: why, and what would help."""


def run(command, folder, what, env=None):
    log = Path(folder) / "forkhound-build.log"
    with open(log, "ab") as out:
        result = subprocess.run([str(c) for c in command], cwd=folder, stdin=subprocess.DEVNULL,
                                stdout=out, stderr=subprocess.STDOUT, env=env)
    if result.returncode:
        raise Absent(f"{what} failed: see {log}")


def mirror():
    """The address and the suite of the archive that this machine's apt uses."""
    listed = subprocess.run(["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE)",
                             "Created-By: Packages"], capture_output=True, text=True).stdout.splitlines()
    return next((line.split() for line in listed if line.split(" ")[0].endswith("/debian")), None)


def archive_options(work):
    """apt with source packages, beside the machine's own lists, which stay as they are."""
    lists = work / "apt"
    source = work / "sources.list"
    if not shutil.which("apt-get") or not shutil.which("dpkg-source"):
        raise Absent("neither a checkout (--path) nor Debian's apt-get and dpkg-source")
    options = ["-o", f"Dir::Etc::sourcelist={source}", "-o", "Dir::Etc::sourceparts=-",
               "-o", f"Dir::State::lists={lists}", "-o", "APT::Sandbox::User=root"]
    if not source.exists():
        found = mirror()
        if not found:
            raise Absent("neither a checkout (--path) nor an archive of Debian's that apt knows")
        (lists / "partial").mkdir(parents=True, exist_ok=True)
        source.write_text("deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] "
                          f"{found[0]} {found[1]} main\n")
        run(["apt-get", *options, "update"], work, "apt-get update for source packages")
    return options


def debian_source(work, package, path):
    """The unpacked source of a Debian package; `path`: a checkout of the user's instead."""
    if path:
        return Path(path).resolve()
    folder = work / package
    if not folder.exists():
        options = archive_options(work)
        fetched = work / f"{package}.new"
        shutil.rmtree(fetched, ignore_errors=True)
        fetched.mkdir()
        run(["apt-get", *options, "source", package], fetched, f"fetching the source of {package}")
        next(p for p in fetched.iterdir() if p.is_dir()).rename(folder)
        shutil.rmtree(fetched)
    return folder


def installed_package(name):
    """Whether Debian's package is there, after a try to install it as root."""
    check = ["dpkg-query", "-W", "-f", "${db:Status-Status}", name]
    found = lambda: subprocess.run(check, capture_output=True, text=True).stdout == "installed"
    if not found() and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "-qq", "install", "-y", "--no-install-recommends", name],
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    return found()


def need_packages(*names):
    missing = [name for name in names if not installed_package(name)]
    if missing:
        raise Absent(f"Debian's packages are missing: {' '.join(missing)}")
