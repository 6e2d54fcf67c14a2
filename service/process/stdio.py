"""Write to standard output and error even if nobody reads them, or their disk is full.

A write to a full pipe waits for its reader, and with it waits whoever writes: the loop of a sender,
or a process that must stop. So we only write what is taken at once. A terminal is ready as soon as
it has any room at all: so we open it anew, as one that does not wait, and write what it takes. A
line that it took in part is written again later. What is longer than TAKEN_BYTES may have to wait
for a pipe's reader: in parts, it would stand between the lines of others.

Several processes of one worker share both. They take turns by a lock on a file without a name: else
one could fill the pipe between another's look and its write.
"""

import os
import select
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import UnsupportedOperation
from stat import S_ISREG
from tempfile import TemporaryFile
from time import monotonic, sleep

try:
    import fcntl
except ModuleNotFoundError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

TAKEN_BYTES = getattr(select, "PIPE_BUF", 512)  # what a pipe that is ready takes without a wait
WAIT_S = 0.1  # for a reader that is a little behind
ERROR_WAIT_S = 5.0  # for one who shall know why we ended
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


def write(lines: Sequence[str], wait_s: float = WAIT_S) -> tuple[int, str]:
    """Write lines to standard output; return how many were taken, and why the others were not."""
    written = 0
    try:
        fd = sys.stdout.fileno()
        for count, piece in pieces(lines, fd):
            size = taken(fd, piece, wait_s)
            if size < len(piece):
                return written + piece[:size].count(b"\n"), NOBODY_READS
            written += count
    except (OSError, ValueError, AttributeError) as error:  # ValueError, None: somebody closed it
        return written, str(error)
    return written, ""


def print_error(text: str) -> None:
    """Print a line on standard error, unless nobody takes it in time."""
    encoding = getattr(sys.stderr, "encoding", None) or "utf-8"  # None: somebody closed it
    write_error(f"{text}\n".encode(encoding, "backslashreplace"))


def write_error(data: bytes) -> None:
    """Write to standard error what of it is taken in time. Never fails."""
    with suppress(OSError, ValueError, AttributeError):
        try:
            fd = sys.stderr.fileno()
        except (UnsupportedOperation, AttributeError):  # somebody keeps it in memory
            sys.stderr.buffer.write(data)
            return
        left, ends = data, monotonic() + ERROR_WAIT_S
        while left and monotonic() < ends:
            left = left[taken(fd, left, WAIT_S) :]


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


def taken(fd: int, data: bytes, wait_s: float) -> int:
    """Write within the wait; return how many bytes were taken. Raises OSError.

    All or none, but by a terminal: that may take a part. OSError: the reader is gone, the disk
    full.
    """
    ends = monotonic() + wait_s
    with unblocked(fd) as out:
        while True:
            with WRITING, turn() as is_ours:
                if is_ours and is_ready(out, 0.0):
                    if count := written(out, data):
                        return count
                    sleep(TURN_S)  # a terminal's room may be one byte, and a line break takes two
            if monotonic() > ends:
                return 0
            if is_ours:
                is_ready(out, max(0.0, ends - monotonic()))
            else:
                sleep(TURN_S)


def written(fd: int, data: bytes) -> int:
    """Write all, or what a terminal that does not wait has room for; return how many bytes."""
    count = 0
    with suppress(BlockingIOError):
        while count < len(data):
            count += os.write(fd, data[count:])
    return count


@contextmanager
def unblocked(fd: int) -> Iterator[int]:
    """Give a terminal as a descriptor that never waits, anything else as it is.

    It is opened anew, because the shell has the other one, too, and relies on it to wait. One that
    is another user's, as after su, cannot be opened: there we may have to wait.
    """
    try:
        own = os.open(os.ttyname(fd), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, AttributeError):  # AttributeError: Windows
        yield fd
        return
    try:
        yield own
    finally:
        os.close(own)


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
    """A `file` for print() that writes to standard output, and drops what nobody takes.

    An event loop prints with it: so it waits for the reader once, and again after that has read.
    """

    encoding = "utf-8"

    def __init__(self) -> None:
        self.text = ""
        self.wait_s = WAIT_S

    def write(self, text: str) -> int:
        """Keep a part of what is printed."""
        self.text += text
        return len(text)

    def flush(self) -> None:
        """Write the lines."""
        text, self.text = self.text, ""
        _, reason = write(text.rstrip("\n").split("\n"), self.wait_s)
        self.wait_s = 0.0 if reason else WAIT_S
