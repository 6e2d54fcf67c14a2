"""A real Chromium, driven by its own DevTools protocol through a pipe.

No port, no driver beside it, no library: a message is JSON with a zero byte after it.
https://chromedevtools.github.io/devtools-protocol/
"""

import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any, Self

PROGRAM = "chromium"
LIMIT_S = 60.0
# Of its own it would look for updates and the like; it finds no host but this one.
OPTIONS = (
    "--headless=new", "--remote-debugging-pipe", "--no-first-run", "--no-default-browser-check",
    "--disable-background-networking", "--disable-component-update", "--disable-default-apps",
    "--disable-extensions", "--disable-sync", "--disable-gpu", "--disable-dev-shm-usage",
    "--metrics-recording-only", "--mute-audio", "--password-store=basic", "--lang=en-US",
    "--hide-scrollbars", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip
FREE_FROM = 10  # descriptors below are the shell's


class Failed(Exception):
    """The browser refused a command, or a script on a page threw."""


class Chromium:
    """One process of the browser, with a profile that is thrown away."""

    def __init__(self, profile: str) -> None:
        """`profile`: an empty directory."""
        self._profile = profile
        self._last_id = 0
        self._buffer = bytearray()
        self._answers: dict[int, Any] = {}
        self._hears: Callable[[dict[str, Any]], None] = lambda event: None

    def __enter__(self) -> Self:
        theirs_in, ours_out = map(high, os.pipe())
        ours_in, theirs_out = map(high, os.pipe())
        sandbox = () if os.geteuid() else ("--no-sandbox",)  # it has none for root
        program = shutil.which(PROGRAM) or PROGRAM
        # The pipe has to be on descriptors 3 and 4.
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "bash", program,
             *OPTIONS, *sandbox, f"--user-data-dir={self._profile}", "about:blank"],
            pass_fds=(theirs_in, theirs_out), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        self._in, self._out = ours_in, ours_out
        self.call("Browser.getVersion")
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._out)  # it ends by itself when nobody can speak to it any more
        os.close(self._in)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def hear(self, hears: Callable[[dict[str, Any]], None]) -> None:
        """Hand every event from now on to a function."""
        self._hears = hears

    def call(self, method: str, session: str | None = None, **params: Any) -> Any:
        """Run a command and return its result. Raises Failed."""
        id = self.send(method, session, **params)
        self.read_until(lambda: id in self._answers)
        answer = self._answers.pop(id)
        if "error" in answer:
            raise Failed(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def send(self, method: str, session: str | None = None, **params: Any) -> int:
        """Send a command without waiting for its result; returns its number."""
        self._last_id += 1
        message = {"id": self._last_id, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._out, data) :]
        return self._last_id

    def read_until(self, condition: Callable[[], Any], limit_s: float = LIMIT_S) -> Any:
        """Read what the browser says until a condition holds. Raises TimeoutError."""
        end = time.monotonic() + limit_s
        while not (held := condition()):
            left_s = end - time.monotonic()
            if left_s <= 0:
                raise TimeoutError(f"not within {limit_s:g} s: {condition}")
            for message in self._read(left_s):
                if "id" in message:
                    self._answers[message["id"]] = message
                else:
                    self._hears(message)
        return held

    def _read(self, limit_s: float) -> Iterator[dict[str, Any]]:
        """Give the messages that are there, or that come next."""
        ready, _, _ = select.select([self._in], [], [], limit_s)
        if not ready:
            return
        data = os.read(self._in, 1 << 20)
        if not data:
            raise Failed("the browser has ended")
        self._buffer += data
        *whole, rest = self._buffer.split(b"\0")
        self._buffer = bytearray(rest)
        yield from map(json.loads, whole)


def high(descriptor: int) -> int:
    """Move a descriptor out of the way of those that have a meaning."""
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, FREE_FROM)
    os.close(descriptor)
    return moved
