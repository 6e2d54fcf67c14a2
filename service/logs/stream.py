"""Write log lines to standard error in a thread of its own, so that no caller waits for it."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from loguru import logger

from service.process.stdio import taken, taken_bytes

if TYPE_CHECKING:
    from loguru import Message

BACKLOG_MAX_BYTES = 4_000_000  # some seconds of lines at full speed; what comes then is dropped
LINGER_S = 0.05  # lines that come together are written together: each time costs 0.1 ms
WAIT_S = 0.25
STOP_MAX_S = 1.0
HINT = "standard error was not read, or could not be written"


class LogStream:
    """A sink of loguru. Writing never waits and never fails; stopping takes STOP_MAX_S at most."""

    def __init__(self, fd: int, text_of: Callable[["Message"], bytes]) -> None:
        self.fd = fd
        self.text_of = text_of
        self.lock = threading.Lock()
        self.backlog: deque[bytes] = deque()
        self.backlog_bytes = 0  # with those that are being written
        self.dropped = 0  # calls of write
        self.wake = threading.Event()
        self.stopping = threading.Event()
        self.stop_by = float("inf")
        self.thread = threading.Thread(target=self.run, name="log-stream", daemon=True)
        self.thread.start()

    def write(self, message: "Message") -> None:
        """Queue a line. Called by loguru, which would print an error of ours to standard error."""
        try:
            text = self.text_of(message)
        except Exception as error:
            text = f"a log line could not be written: {type(error).__name__}\n".encode()
        with self.lock:
            if self.backlog_bytes + len(text) > BACKLOG_MAX_BYTES:
                self.dropped += 1
                return
            self.backlog.append(text)
            self.backlog_bytes += len(text)
        if not self.wake.is_set():
            self.wake.set()

    def stop(self) -> None:
        """Write what waits, as far as the reader takes it in time. Called by loguru."""
        self.stop_by = time.monotonic() + STOP_MAX_S
        self.stopping.set()
        self.wake.set()
        self.thread.join(STOP_MAX_S)

    def run(self) -> None:
        """Write until stopped."""
        while not self.stopping.is_set():
            self.wake.wait()
            self.stopping.wait(LINGER_S)
            self.wake.clear()
            self.write_all()
        self.write_all()

    def write_all(self) -> None:
        """Write what waits, then log how much was dropped since the last time."""
        with self.lock:
            text, dropped, self.dropped = b"".join(self.backlog), self.dropped, 0
            self.backlog.clear()
        try:
            for piece in cut(text, taken_bytes(self.fd)):
                self.write_piece(piece)
        except OSError:  # its reader is gone, or the disk is full
            dropped += 1
        else:
            if dropped and not self.stopping.is_set():
                logger.warning("log_lines_dropped", at_least=dropped, hint=HINT)
                dropped = 0
        with self.lock:
            self.dropped += dropped
            self.backlog_bytes -= len(text)

    def write_piece(self, piece: bytes) -> None:
        """Write it once that need not wait; give up after `stop_by`. Raises OSError."""
        while piece := piece[taken(self.fd, piece, WAIT_S) :]:
            if time.monotonic() > self.stop_by:
                return


def cut(text: bytes, most: int) -> Iterator[bytes]:
    """Cut lines into pieces of at most so many bytes, between two lines where one fits.

    What several processes write to one pipe stays whole then, but for a line that is longer.
    """
    start = 0
    while len(text) - start > most:
        end = text.rfind(b"\n", start, start + most) + 1 or start + most
        yield text[start:end]
        start = end
    yield text[start:]
