"""Processes that end with us: each in a session of its own, so that Ctrl-C is ours to pass on."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM
from typing import Any

from service.embedded.child import die_with_us

ROOT = Path(__file__).resolve().parents[2]
START_MAX_S = 30.0
STOP_MAX_S = 30.0
RUN_MAX_S = 300.0

Command = Sequence[str | Path]


class BenchError(Exception):
    """Something did not run, or a count is not what it has to be: there is no figure."""


@dataclass(frozen=True, slots=True)
class Running:
    """A process beside us; what it prints is in files."""

    name: str
    process: subprocess.Popen[bytes]
    stdout: Path
    stderr: Path

    def lines(self, count: int) -> list[str]:
        """Wait for its first lines of output."""

        def there() -> list[str]:
            lines = self.stdout.read_text().splitlines(keepends=True)
            return lines if len(lines) >= count and lines[-1].endswith("\n") else []

        self.wait_for(there)
        return self.stdout.read_text().splitlines()[:count]

    def wait_for(self, condition: Callable[[], Any], limit_s: float = START_MAX_S) -> None:
        """Wait until the condition holds. Raises BenchError when the process ends first."""

        def holds() -> Any:
            self.check()
            return condition()

        until(holds, limit_s, f"{self.name} is ready")

    def check(self) -> None:
        """Raise BenchError with its last words if it has ended."""
        if self.process.poll() is not None:
            errors = self.stderr.read_text(errors="replace")[-2000:]
            raise BenchError(f"{self.name} ended by itself: {errors}")


@contextmanager
def running(
    command: Command,
    name: str,
    directory: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
) -> Iterator[Running]:
    """Run a command beside us; it gets SIGTERM at the end, and when we die."""
    stdout, stderr = directory / f"{name}.out", directory / f"{name}.err"
    with stdout.open("wb") as out, stderr.open("wb") as err:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
            preexec_fn=die_with_us(SIGTERM),  # noqa: PLW1509 (no other thread exists)
        )
    try:
        yield Running(name, process, stdout, stderr)
    finally:
        process.terminate()
        try:
            process.wait(STOP_MAX_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def run(command: Command, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> str:
    """Run a command to its end and return what it printed. Raises BenchError with its words."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        text=True,
        check=False,
        capture_output=True,
        timeout=RUN_MAX_S,
    )
    if done.returncode:
        raise BenchError(f"{command[0]} failed: {(done.stderr or done.stdout)[-2000:]}")
    return done.stdout


def module(name: str, *args: object) -> list[str]:
    """Name one of our modules as a command."""
    return [sys.executable, "-m", f"load.bench.{name}", *map(str, args)]


def run_module(name: str, *args: object) -> dict[str, Any]:
    """Run one of our modules as a process of its own; it prints one JSON object."""
    answer: dict[str, Any] = json.loads(run(module(name, *args)))
    return answer


def until(condition: Callable[[], Any], limit_s: float, what: str, look_s: float = 0.05) -> None:
    """Wait until the condition holds. Raises BenchError after the limit."""
    ends = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > ends:
            raise BenchError(f"not within {limit_s:g} s: {what}")
        time.sleep(look_s)


def free_port() -> int:
    """Find a free port on 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
