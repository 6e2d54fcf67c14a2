"""The commands as a user runs them: real processes, their output, and what they leave behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scratch import scratch
from tests.waiting import LIMIT_S, wait_for

NOTIFY = Path(sys.executable).with_name("notify")


def is_free(port: int) -> bool:
    """Say whether nobody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def free_port() -> int:
    """Find a free port on 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def get(url: str) -> Any:
    """GET a JSON document."""
    with urllib.request.urlopen(url, timeout=LIMIT_S) as answer:
        return json.load(answer)


def post(url: str, body: dict[str, Any]) -> Any:
    """POST a JSON document, and give the answer's."""
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
        return json.load(answer)


def processes_of(state: Path) -> list[str]:
    """List the command lines of live processes that name the state directory."""
    lines = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(state) in line and int(process.name) != os.getpid():
            lines.append(line)
    return lines


class Command:
    """One running `notify …`; its stdout and stderr together in `output`."""

    def __init__(self, home: Path, *args: str, **env: str) -> None:
        self._log = home / f"{time.monotonic_ns()}.log"
        clean = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "REDIS_URL")}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [NOTIFY, *args],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=home,
                env=clean | env,
            )

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def says(self, text: str, limit_s: float = LIMIT_S) -> str:
        """Wait until the output contains the text."""
        wait_for(lambda: text in self.output or self.process.poll() is not None, limit_s)
        assert text in self.output, self.output
        return self.output

    def stop(self, number: int = signal.SIGTERM, limit_s: float = LIMIT_S) -> int:
        """Send a signal, wait for the end, and give the exit code."""
        self.process.send_signal(number)
        return self.process.wait(limit_s)


@pytest.fixture
def start(tmp_path: Path, state: Path) -> Iterator[Callable[..., Command]]:
    """Start commands in an empty directory; what runs at the end is killed, before `state`."""
    started: list[Command] = []

    def run(*args: str, **env: str) -> Command:
        started.append(Command(tmp_path, *args, **env))
        return started[-1]

    yield run
    for command in started:
        if command.process.poll() is None:
            command.process.kill()
            command.process.wait()


@pytest.fixture
def state() -> Iterator[Path]:
    """Give a state directory that the servers' account can reach; nothing may live in it after."""
    with scratch() as made:
        directory = Path(made)
        yield directory
        wait_for(lambda: not processes_of(directory))
