"""One of several worker processes, as the one that started it sees it."""

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from service.cli.running import stop_signals
from service.process import link

ANSWER_MAX_S = 1.0
PROGRAM = "service.cli.worker_child"


class WorkerProcess:
    """A child that works until it is told to stop, or this process ends.

    It is a new program, no fork of ours: threads run here already.
    """

    def __init__(self, environ: Mapping[str, str], streams: int) -> None:
        """Start it. `streams`: the file by which it takes turns at standard output and error."""
        self.page = ""  # of its metrics, the last that came
        self.refusal: str | None = None  # why it cannot start, whatever we try
        self.has_begun = asyncio.Event()
        self._is_asked = False
        self._answered = asyncio.Event()
        self._link, theirs = socket.socketpair()
        self._link.setblocking(False)
        with theirs, signals_held_back():
            self._process = subprocess.Popen(
                # -P: nothing of the working directory is imported.
                [sys.executable, "-P", "-m", PROGRAM, str(theirs.fileno()), str(streams)],
                stdin=subprocess.DEVNULL,
                env=environ,
                pass_fds=(theirs.fileno(), streams),
            )
        self.pid = self._process.pid
        self.gone = asyncio.create_task(self._listen(), name=f"worker process {self.pid}")

    async def ask(self) -> None:
        """Ask for a new page, and wait a second for it; a late one comes with the next."""
        self._answered.clear()
        if not self._is_asked:
            self._is_asked = True
            self._tell(link.ASK)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._answered.wait(), ANSWER_MAX_S)

    def stop(self) -> None:
        """Ask it to stop in order; told twice, or by a signal as well, it does not hurry."""
        self._tell(link.STOP)

    def kill(self) -> None:
        """End it without a word."""
        self._process.kill()

    def _tell(self, order: bytes) -> None:
        with suppress(OSError):  # it is gone, or does not read
            self._link.send(order)

    async def _listen(self) -> str | None:
        """Take what it says until it is gone; return how it ended, None: in order."""
        buffer = bytearray()
        with self._link:
            async for data in link.heard(self._link):
                buffer += data
                for kind, text in link.unframed(buffer):
                    self._take(kind, text)
        code = await asyncio.to_thread(self._process.wait)
        self._answered.set()
        self.has_begun.set()
        if code == 0:
            return None
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        return f"worker process {self.pid} {how}"

    def _take(self, kind: bytes, text: str) -> None:
        if kind == link.REFUSAL:
            self.refusal = text
            return
        self.page = text
        self._is_asked = False
        self._answered.set()
        self.has_begun.set()


@contextmanager
def signals_held_back() -> Iterator[None]:
    """Let what is started here begin with its signals blocked: those wait until it listens.

    Else Ctrl-C, which reaches every process of a terminal, would end it with a traceback.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, stop_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
