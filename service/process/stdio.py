"""Write to standard output and error even if nobody reads them, or their disk is full.

A write to a full pipe waits for its reader, and with it waits whoever writes: the loop of a sender,
or a process that must stop. So we only write what is taken at once.

Several processes of one worker share both. They take turns by a lock on a file without a name: else
one could fill the pipe between another's look and its write.
"""

import os
import select
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from stat import S_ISREG
from tempfile import TemporaryFile
from time import monotonic, sleep

try:
    import fcntl
except ModuleNotFoundError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

TAKEN_BYTES = getattr(select, "PIPE_BUF", 512)  # what a pipe that is ready takes without a wait
WAIT_S = 0.1  # for a reader that is a little behind
NOBODY_READS = "nobody reads it"
WRITING = threading.Lock()  # or another thread could fill the pipe between look and write
TURN_S = 0.0005  # until another process is asked again whether it has written
shared_by: int | None = None  # descriptor of the file that is locked by whichever process writes


def share_streams(descriptor: int | None = None) -> int:
    """Take turns with other processes from now on, by the lock of this file; None: make one."""
    global shared_by  # noqa: PLW0603 - the streams are the process's, too
    shared_by = lock_file() if descriptor is None else descriptor
    return shared_by


def lock_file() -> int:
    """Make a file without a name; where there is one in memory, no directory need be writable."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("notify-streams")
    with TemporaryFile() as file:
        return os.dup(file.fileno())


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
        with WRITING, turn() as is_ours:
            if is_ours and is_ready(fd, 0.0):
                while data:
                    data = data[os.write(fd, data) :]
                return True
        if is_ours:
            if not is_ready(fd, max(0.0, ends - monotonic())):
                return False
        elif monotonic() > ends:
            return False
        else:
            sleep(TURN_S)


@contextmanager
def turn() -> Iterator[bool]:
    """Yield whether no other process writes, and keep the others from it meanwhile.

    The lock is the process's, and ends with it. We never wait for it: its holder may be stopped.
    """
    if shared_by is None:
        yield True
        return
    try:
        fcntl.lockf(shared_by, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        fcntl.lockf(shared_by, fcntl.LOCK_UN)


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
