"""A socket for http.client, with one end for all of its looks, and a limit for what it reads.

http.client's timeout is for one look at the socket: a server that sends a byte a second would be
listened to for ever. Here every look has what is left until `end`.
"""

import io
import selectors
import socket
import ssl
import time
from typing import Any, cast

ANSWER_MAX_BYTES = 4 * 1024 * 1024  # a batch of 1,000 takes a quarter of it
HEAD_MAX_BYTES = 64 * 1024  # before the body; all of 100 Continue, too


class Misunderstood(Exception):
    """What came is no HTTP, or too much of it."""


class Timed:
    """A socket as http.client needs one, each of whose looks ends by `end`.

    `max_bytes`: how much more of the answer is read. http.client has no such limit: a chunk of
    length -1 it reads until the connection ends.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.end = 0.0
        self.max_bytes = 0
        self.has_ended = False  # the other side sends no more
        self.has_surplus = False  # more than the answer was read: it answers nobody

    def read(self, buffer: Any) -> int:
        """Read what is there into a buffer. Raises Misunderstood when it is too much."""
        if self.max_bytes <= 0:
            raise Misunderstood(f"more than {HEAD_MAX_BYTES} + {ANSWER_MAX_BYTES} bytes")
        self._sock.settimeout(self._left())
        count = self._sock.recv_into(buffer)
        self.max_bytes -= count
        self.has_ended = not count
        return count

    def sendall(self, data: bytes) -> None:
        """Send all of it: ssl's own sendall() would begin its timeout anew with each record."""
        rest = memoryview(data)
        while rest:
            self._sock.settimeout(self._left())
            rest = rest[self._sock.send(rest[:65536]) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        """Give http.client what it reads one answer from."""
        return Buffered(Reading(self))

    def close(self) -> None:
        """Do nothing: http.client closes its socket before it has read an answer to the end."""

    def is_quiet(self) -> bool:
        """Return whether nothing has come since the last answer: it would be taken for the next."""
        if isinstance(self._sock, ssl.SSLSocket) and self._sock.pending():
            return False
        # An epoll would need a descriptor, and there may be none left.
        kind = getattr(selectors, "PollSelector", selectors.DefaultSelector)
        try:
            with kind() as looking:
                looking.register(self._sock, selectors.EVENT_READ)
                return not looking.select(0)
        except OSError:
            return False

    def shut(self) -> None:
        """Close the connection."""
        self._sock.close()

    def _left(self) -> float:
        """Return the seconds left. Raises TimeoutError when there are none."""
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time is over")
        return left


class Reading(io.RawIOBase):
    """The reading side of a connection, for one answer."""

    def __init__(self, timed: Timed) -> None:
        self.timed = timed
        self.is_over = False

    def readable(self) -> bool:
        """Say so to io.BufferedReader."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is there; nothing more when the answer is over."""
        return 0 if self.is_over else self.timed.read(buffer)


class Buffered(io.BufferedReader):
    """What http.client reads one answer from; it closes it when it has read that to its end."""

    def close(self) -> None:
        """Say whether something is left that was read along."""
        if not self.closed:
            reading = cast(Reading, self.raw)
            reading.is_over = True
            reading.timed.has_surplus = bool(self.peek(1))
        super().close()
