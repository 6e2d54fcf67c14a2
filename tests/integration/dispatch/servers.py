"""A Valkey of a test's own, to stop and start."""

import socket
import subprocess
from pathlib import Path
from typing import Self

import redis

from service.embedded.account import servers_account
from service.embedded.programs import valkey_program
from service.keys import Keys
from tests.waiting import wait_for


def free_port() -> int:
    """Find a port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Valkey:
    """A server that keeps its port and forgets what it held when it is started again.

    `options`: of valkey-server, such as `--cluster-enabled yes`.
    """

    def __init__(
        self, directory: Path, *options: str, host: str = "127.0.0.1", port: int | None = None
    ) -> None:
        self._directory = directory
        self._options = options
        self._program = valkey_program(servers_account(directory), directory)
        self._host = host
        self.port = port or free_port()
        self.url = f"redis://{host}:{self.port}/0"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = ["--port", str(self.port), "--bind", self._host, "--save", ""]
        options += ["--dir", str(self._directory), *self._options]
        self._run(*options)

    def _run(self, *arguments: str | Path) -> None:
        """Run the program, and wait until it answers."""
        self._process = subprocess.Popen([self._program, *arguments], stdout=subprocess.DEVNULL)
        wait_for(self._answers)

    def stop(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait(10)

    def count(self, keys: Keys) -> int:
        """Say how many ids are ready."""
        with redis.Redis.from_url(self.url) as client:
            return sum(client.zcard(key) for key in keys.lanes.values())

    def _answers(self) -> bool:
        with redis.Redis.from_url(self.url) as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False


class Sentinel(Valkey):
    """A sentinel that watches a primary, by the name `notify`; two of them decide, and quickly."""

    def __init__(self, directory: Path, primary: int, password: str, *lines: str) -> None:
        super().__init__(directory)
        self.url = f"redis://:{password}@127.0.0.1:{self.port}"
        self._file = directory / "sentinel.conf"
        lines = (
            f"port {self.port}", "bind 127.0.0.1", f"dir {directory}",
            f"requirepass {password}", f"sentinel sentinel-pass {password}",
            f"sentinel monitor notify 127.0.0.1 {primary} 2",
            "sentinel down-after-milliseconds notify 300",
            "sentinel failover-timeout notify 2000", *lines,
        )  # fmt: skip
        self._file.write_text("\n".join(lines))

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._run(self._file, "--sentinel")
