"""An interactive session on a terminal of its own, as a person types it."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time


class Terminal:
    """Runs `command` as the leader of a session with a terminal of 24 lines of 80 columns."""

    def __init__(self, command, env):
        self.text = ""
        self.at = 0
        self.status = None
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)  # ignored where the tests run in the background
            try:
                os.execvpe(command[0], command, env)
            finally:
                os._exit(127)
        self.resize(24, 80)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)  # hangs the session up
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()

    def resize(self, lines, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, text):
        os.write(self.fd, text.encode())

    def expect(self, pattern, limit=60):
        """Reads up to the pattern, from where the last one ended; the match."""
        deadline = time.monotonic() + limit
        while not (match := re.compile(pattern).search(self.text, self.at)):
            left = deadline - time.monotonic()
            ready = left > 0 and select.select([self.fd], [], [], left)[0]
            try:
                got = os.read(self.fd, 65536) if ready else b""
            except OSError:  # EIO: nobody has the terminal open any more
                got = b""
            assert got, f"no {pattern!r} after {self.text[self.at:]!r}"
            self.text += got.decode(errors="replace").replace("\r\n", "\n")
        self.at = match.end()
        return match

    def wait(self):
        """The end of the leader: its exit status, or minus the signal."""
        self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status

    def foreground(self):
        return os.tcgetpgrp(self.fd)
