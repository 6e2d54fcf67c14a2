"""Write to standard output and error even if nobody reads them, or their disk is full.

A write to a full pipe waits for its reader, and with it waits whoever writes: the loop of a sender,
or a process that must stop. So we only write what is taken at once.
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
WRITING = threading.Lock()  # or another thread could fill the pipe between look and write


def write(lines: Sequence[str]) -> tuple[int, str]:
    """Write lines to standard output; return how many were taken, and why the others were not."""
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
    """Join as many lines as may be written at once, and count them. A file takes all at once."""
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
    """Return how many bytes are taken at once: a file takes all. Raises OSError."""
    return sys.maxsize if S_ISREG(os.fstat(fd).st_mode) else TAKEN_BYTES


def taken(fd: int, data: bytes, wait_s: float) -> bool:
    """Write, if it is taken within the wait. Raises OSError: the reader is gone, the disk full."""
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
    """Return whether a write would return at once, even if with an error."""
    if not hasattr(select, "poll"):  # Windows, whose select() knows sockets only
        return True
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return bool(poll.poll(wait_s * 1000))


class Printer:
    """A `file` for print() that writes to standard output, and drops what nobody takes."""

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
