"""A server as a child process that ends when we end, even if we are killed."""

import contextlib
import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from signal import (
    SIG_BLOCK,
    SIG_SETMASK,
    SIGHUP,
    SIGINT,
    SIGKILL,
    SIGTERM,
    Signals,
    pthread_sigmask,
)

from service.embedded.account import Account
from service.errors import StartError

PR_SET_PDEATHSIG = 1
POLL_S = 0.005
LOG_MAX_BYTES = 1_000_000
# Nothing of our environment: no locale, no PG* variable, no secret.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class Child:
    """One server. The kernel ends it when the thread that started it ends."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        account: Account,
        log: Path,
        when_orphaned: Signals,
        stdin: str = "",
    ) -> None:
        """Prepare `command` with this `stdin`; `log` grows to 1 MB, and one older file is kept."""
        self.name = name
        self._command = command
        self._account = account
        self._log = log
        self._log_from = 0
        self._when_orphaned = when_orphaned
        self._stdin = stdin
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it. A signal to end us waits until we know the process, so that stop() ends it."""
        if self._log.exists() and self._log.stat().st_size > LOG_MAX_BYTES:
            self._log.replace(self._log.with_suffix(".log.old"))
        self._log.touch(mode=0o600)
        dies_with_us = die_with_us(self._when_orphaned)
        with self._log.open("ab") as output, signals_wait() as mask:

            def before_program() -> None:
                pthread_sigmask(SIG_SETMASK, mask)
                if dies_with_us is not None:
                    dies_with_us()

            self._log_from = output.tell()
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd="/",
                env=ENVIRONMENT,
                process_group=0,  # Ctrl-C reaches us alone, so that the servers stop last
                # No other thread exists yet that could hold a lock across the fork.
                preexec_fn=before_program,  # noqa: PLW1509
                **self._account.credentials,
            )
            assert self._process.stdin is not None
            with contextlib.suppress(BrokenPipeError), self._process.stdin as pipe:
                pipe.write(self._stdin.encode())

    @property
    def pid(self) -> int:
        """Its process id; 0 before it was started."""
        return self._process.pid if self._process else 0

    def dead(self) -> str | None:
        """Say in one line why it ended; None while it runs, or before it was started."""
        code = self._process.poll() if self._process else None
        if code is None:
            return None
        how = f"was killed by {Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return f"{self.name} {how}: {self.last_words()} (see {self._log})"

    def wait_until(self, ready: Callable[[], bool], *, timeout_s: float) -> None:
        """Wait for `ready`. Raises StartError when the server ends first, or takes too long."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            if reason := self.dead():
                raise StartError(reason)
            if time.monotonic() > deadline:
                raise StartError(
                    f"{self.name} is not ready after {timeout_s:g} s:"
                    f" {self.last_words()} (see {self._log})"
                )
            time.sleep(POLL_S)

    def stop(self, *steps: tuple[Signals, float]) -> None:
        """Send each signal in turn and wait its seconds; then SIGKILL. Nothing if it never ran."""
        if self._process is None:
            return
        for signal, wait_s in steps:
            self._process.send_signal(signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(wait_s)
                return
        self._process.send_signal(SIGKILL)
        self._process.wait()

    def last_words(self) -> str:
        """Give the line of its log that probably says what went wrong."""
        with self._log.open("rb") as log:
            log.seek(self._log_from)
            lines = [line.strip() for line in log.read().decode(errors="replace").splitlines()]
        fatal = [line for line in lines if "FATAL" in line or "PANIC" in line]
        return next(filter(None, reversed(fatal or lines)), "it left no word")


@contextlib.contextmanager
def signals_wait() -> Iterator[set[int]]:
    """Let what asks this thread to end wait until the context ends; yields what waited before.

    What they raise within a fork would leave a child that nobody knows.
    """
    before = pthread_sigmask(SIG_BLOCK, ())
    try:
        pthread_sigmask(SIG_BLOCK, (SIGHUP, SIGINT, SIGTERM))
        yield before
    finally:
        pthread_sigmask(SIG_SETMASK, before)


def die_with_us(signal: Signals) -> Callable[[], None] | None:
    """Make the function by which a new child asks the kernel to signal it when we end.

    Linux only; None elsewhere. A change of account clears the setting, so Popen changes it first.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    us = os.getpid()

    def before_program() -> None:
        prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0)
        if os.getppid() != us:  # we ended before the setting could hold
            os._exit(1)

    return before_program
