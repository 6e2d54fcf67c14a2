"""A command in a terminal of a certain width."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
from typing import Self

from tests.acceptance.conftest import NOTIFY
from tests.waiting import LIMIT_S


class Terminal:
    """A running command, and what it shows."""

    def __init__(self, columns: int, *argv: str, **env: str) -> None:
        self._screen, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        environ = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
        self.process = subprocess.Popen(
            [NOTIFY, *argv], stdin=theirs, stdout=theirs, stderr=theirs, env=environ | env
        )
        os.close(theirs)

    def until_it_ends(self) -> str:
        """Read all that it shows; gives it once it has ended."""
        shown = b""
        while True:
            try:
                part = os.read(self._screen, 65536)
            except OSError:  # its end of the terminal is closed
                break
            if not part:
                break
            shown += part
        self.process.wait(LIMIT_S)
        return shown.decode().replace("\r\n", "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(LIMIT_S)
        os.close(self._screen)
