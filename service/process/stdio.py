"""Standard output and error as they may be: unread, without a reader, on a disk that is full.

A write to a full pipe waits for its reader, and whoever writes waits with it: the loop of a sender,
or a process that was told to stop. So we write what is taken at once, and no more.
"""

import os
import select
import sys
import threading
from collections.abc import Iterator, Sequence
from stat import S_ISREG
from time import monotonic

TAKEN_BYTES = getattr(select, "PIPE_BUF", 512)  # what a pipe that is ready takes without a wait
WAIT_S = 0.1  # for a reader that is a little behind
NOBODY_READS = "nobody reads it"
WRITING = threading.Lock()  # nobody else of us fills the pipe between the look and the write


def write(lines: Sequence[str]) -> tuple[int, str]:
    """Write lines to standard output; say how many were taken, and why not the others."""
    written = 0
    try:
        fd = sys.stdout.fileno()
        for count, piece in pieces(lines, fd):
            if not taken(fd, piece, WAIT_S):
                return written, NOBODY_READS
            written += count
    except (OSError, ValueError, AttributeError) as error:  # ValueError, None: somebody closed it
        return written, str(error)
    return written, ""


def pieces(lines: Sequence[str], fd: int) -> Iterator[tuple[int, bytes]]:
    """Join as many lines as may be written at once, and say how many. A file takes all."""
    bytes_max = taken_bytes(fd)
    text = "".join([f"{line}\n" for line in lines]).encode(errors="replace")
    if len(text) <= bytes_max:
        yield len(lines), text
        return
    count, joined = 0, bytearray()
    for line in lines:
        encoded = f"{line}\n".encode(errors="replace")
        if count and len(joined) + len(encoded) > bytes_max:
            yield count, bytes(joined)
            count, joined = 0, bytearray()
        count += 1
        joined += encoded
    yield count, bytes(joined)


def taken_bytes(fd: int) -> int:
    """Say how much is taken at once: of a file all. Raises OSError."""
    return sys.maxsize if S_ISREG(os.fstat(fd).st_mode) else TAKEN_BYTES


def taken(fd: int, data: bytes, wait_s: float) -> bool:
    """Write, if it is taken within the wait. Raises OSError: a reader that is gone, a full disk."""
    ends = monotonic() + wait_s
    while True:
        with WRITING:
            if is_ready(fd, 0.0):
                while data:
                    data = data[os.write(fd, data) :]
                return True
        if not is_ready(fd, max(0.0, ends - monotonic())):
            return False


def is_ready(fd: int, wait_s: float) -> bool:
    """Say whether a write would return at once, be it with an error."""
    if not hasattr(select, "poll"):  # Windows, whose select() knows sockets only
        return True
    looking = select.poll()
    looking.register(fd, select.POLLOUT)
    return bool(looking.poll(wait_s * 1000))


class Printer:
    """What print() may be given as `file`, to standard output: what nobody takes is left out."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        """Keep a part of what is printed."""
        self.text += text
        return len(text)

    def flush(self) -> None:
        """Write the lines."""
        text, self.text = self.text, ""
        write(text.rstrip("\n").split("\n"))
