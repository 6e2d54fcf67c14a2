"""What runs beside us: the service's own processes, and the instruments around them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from service.embedded.child import die_with_us

NOTIFY = Path(sys.executable).with_name("notify")
ROOT = Path(__file__).resolve().parents[2]
HZ = os.sysconf("SC_CLK_TCK")


class ChaosError(Exception):
    """The suite itself could not go on: there is no result."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """How a process took a SIGTERM."""

    name: str
    took_s: float
    code: int | None  # None: it had to be killed


class Role:
    """A `notify` command that may die and come back; what it prints is kept in files."""

    def __init__(self, name: str, command: str, directory: Path, env: Mapping[str, str]) -> None:
        self.name = name
        self.command = command
        self.out = directory / f"{name}.out"
        self.log = directory / f"{name}.log"
        self.directory = directory
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("TEST_")} | dict(env)
        self.process: subprocess.Popen[bytes] | None = None
        self.hurt: set[int] = set()  # the lives that were killed or paused

    @property
    def pid(self) -> int:
        """The process id of its present life."""
        assert self.process is not None
        return self.process.pid

    @property
    def runs(self) -> bool:
        """Whether it is alive, if only stopped."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Begin a life."""
        with self.out.open("ab") as out, self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [NOTIFY, self.command],
                cwd=self.directory,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_us(signal.SIGKILL),  # noqa: PLW1509 - no other thread exists
            )

    def kill(self) -> None:
        """End it without a word."""
        if self.process is not None:
            self.hurt.add(self.pid)
            self.process.kill()
            self.process.wait()

    def terminate(self, limit_s: float) -> Stopped:
        """Ask it to end, and wait."""
        assert self.process is not None
        began = time.monotonic()
        self.process.terminate()
        try:
            code: int | None = self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.kill()
            code = None
        return Stopped(self.name, time.monotonic() - began, code)

    def pause(self) -> None:
        """Let it sleep without knowing."""
        self.hurt.add(self.pid)
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def cpu_s(self) -> float:
        """Return the CPU time that it has used (Linux)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / HZ

    def last_words(self) -> str:
        """Return the end of its log."""
        return self.log.read_text(errors="replace")[-2000:]


class Instrument:
    """A module of ours in a process of its own, which obeys lines and ends when we do."""

    def __init__(self, module: str, *args: object) -> None:
        self.name = module
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"load.chaos.{module}", *map(str, args)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.ports = [int(port) for port in self.listen().split()]

    def ask(self, command: str) -> str:
        """Give a command and wait for the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.listen()

    def listen(self) -> str:
        """Read a line. Raises ChaosError when it has ended."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise ChaosError(f"{self.name} ended by itself, with code {self.process.wait()}")
        return line.strip()

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
