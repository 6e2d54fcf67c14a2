"""A private Valkey: memory only, bounded, behind a password on loopback."""

import os
import socket
import time
from pathlib import Path
from signal import SIGKILL, SIGTERM

from service.embedded.account import Account
from service.embedded.child import POLL_S, Child
from service.embedded.kept import valkey_url
from service.embedded.ports import is_free
from service.embedded.programs import valkey_program
from service.embedded.state import State

READY_MAX_S = 10.0
STOP_MAX_S = 5.0
ANSWER_MAX_S = 0.25
ANSWER_MAX_BYTES = 10_000  # a path has 4096 at most
# Read from stdin, so that the password is not in the list of processes. Nothing is saved, because
# PostgreSQL is the truth; `dir` tells whose it is. A full memory refuses writes: an evicted id
# would be a lost hint.
CONFIG = """
bind 127.0.0.1
port {port}
requirepass {password}
dir {directory}
save ""
appendonly no
maxmemory 64mb
maxmemory-policy noeviction
maxclients 1000
daemonize no
"""


class EmbeddedValkey:
    """The server of one state directory."""

    def __init__(self, state: State, account: Account) -> None:
        self._state = state
        self._account = account
        self._child: Child | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """A REDIS_URL."""
        return valkey_url(self._state.password, self.port)

    def launch(self) -> None:
        """Start it, and do not wait. Raises StartError."""
        program = valkey_program(self._account, self._state.directory / "programs")
        self._stop_orphan()
        self.port = self._state.port("valkey")
        self._child = Child(
            "Valkey",
            [program, "-"],
            account=self._account,
            log=self._state.directory / "valkey.log",
            when_orphaned=SIGKILL,
            stdin=CONFIG.format(
                port=self.port,
                password=self._state.password,
                directory=quoted(self._state.directory),
            ),
        )
        self._child.start()

    def wait_ready(self) -> None:
        """Wait until it answers. Raises StartError."""
        assert self._child is not None
        self._child.wait_until(lambda: self._is_ours(self.port), timeout_s=READY_MAX_S)

    def dead(self) -> str | None:
        """Say in one line why it ended; None while it runs or was never started."""
        return self._child.dead() if self._child else None

    def stop(self) -> None:
        """Stop it."""
        if self._child is not None:
            self._child.stop((SIGTERM, STOP_MAX_S))

    def _stop_orphan(self) -> None:
        """Stop the Valkey that a killed owner left on our port."""
        port = self._state.last_port("valkey")
        if port is None or is_free(port) or not self._is_ours(port):
            return
        ask(port, f"AUTH {self._state.password}", "SHUTDOWN NOSAVE")
        deadline = time.monotonic() + STOP_MAX_S
        while not is_free(port) and time.monotonic() < deadline:
            time.sleep(POLL_S)

    def _is_ours(self, port: int) -> bool:
        """Return whether the Valkey of this directory answers: one of a copy has our password."""
        answers = ask(port, f"AUTH {self._state.password}", "CONFIG GET dir")
        return f"\r\n{self._state.directory}\r\n" in answers


def quoted(path: Path) -> str:
    """Write a path as a configuration file takes it, whatever is in it."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in os.fsencode(path)) + '"'


def ask(port: int, *commands: str) -> str:
    """Send inline commands and give the answers; empty when there is none within a moment."""
    lines = "".join(f"{command}\r\n" for command in (*commands, "QUIT"))
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_MAX_S) as connection:
            connection.sendall(lines.encode())
            connection.shutdown(socket.SHUT_WR)
            return os.fsdecode(connection.makefile("rb").read(ANSWER_MAX_BYTES))
    except OSError:
        return ""
