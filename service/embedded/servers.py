"""The private servers of `notify up` and `notify services`: PostgreSQL, Valkey, or one of them."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from service.embedded.account import let_in, servers_account
from service.embedded.ports import is_free
from service.embedded.postgres import EmbeddedPostgres
from service.embedded.state import State
from service.embedded.valkey import EmbeddedValkey
from service.errors import StartError

OTHER_PORTS = 3  # to try, one after the other: between our look and its bind, any may be taken


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerUrls:
    """How to reach what runs; None for a server that was not asked for."""

    database_url: str | None
    redis_url: str | None


class EmbeddedServers:
    """The servers of one state directory, and the directory (`state`) for what else is kept there.

    Call start() and stop() from the main thread, and start() before any other thread exists: the
    kernel ends the servers with the thread that made them.
    """

    def __init__(
        self,
        directory: Path,
        *,
        postgres: bool = True,
        valkey: bool = True,
        fast: bool = False,
        postgres_programs: Path | None = None,
    ) -> None:
        """Open the state directory. `fast` is for tests: a power cut (no kill) may lose data.

        `postgres_programs` is the bin/ of another PostgreSQL than the wheel's. Raises StartError.
        """
        self.state = State(directory, postgres=postgres)
        self._wanted = (postgres, valkey)
        self._fast = fast
        self._programs = postgres_programs
        self._running: list[EmbeddedPostgres | EmbeddedValkey] = []

    def start(self) -> ServerUrls:
        """Start what was asked for and wait until it is ready.

        Raises StartError, with nothing left running.
        """
        with ExitStack() as undo:
            undo.callback(self.stop)
            try:
                urls = self._start()
            except OSError as error:
                raise StartError(f"state directory {self.state.directory}: {error}") from error
            undo.pop_all()
        return urls

    def dead(self) -> str | None:
        """Say in one line which server ended and why; None while all run."""
        return self.database_dead() or self.redis_dead()

    def database_dead(self) -> str | None:
        """Say in one line why PostgreSQL ended; None while it runs."""
        return self._dead(EmbeddedPostgres)

    def redis_dead(self) -> str | None:
        """Say in one line why Valkey ended; None while it runs."""
        return self._dead(EmbeddedValkey)

    def _dead(self, kind: type[EmbeddedPostgres | EmbeddedValkey]) -> str | None:
        reasons = (server.dead() for server in self._running if isinstance(server, kind))
        return next(filter(None, reasons), None)

    def stop(self) -> None:
        """Stop the servers, the database last, and unlock the directory. It may be called twice."""
        while self._running:
            self._running.pop().stop()
        self.state.close()

    def _start(self) -> ServerUrls:
        want_postgres, want_valkey = self._wanted
        account = servers_account(self.state.directory / "postgres" / "data")
        if any(self._wanted):
            let_in(account, self.state.directory)
        postgres = (
            EmbeddedPostgres(self.state, account, fast=self._fast, programs=self._programs)
            if want_postgres
            else None
        )
        valkey = EmbeddedValkey(self.state, account) if want_valkey else None
        self._running = [server for server in (postgres, valkey) if server is not None]
        for server in reversed(self._running):  # Valkey boots while the cluster is made
            server.launch()
        for server in self._running:
            wait_ready(server)
        return ServerUrls(
            database_url=postgres.url if postgres else None,
            redis_url=valkey.url if valkey else None,
        )

    def __enter__(self) -> ServerUrls:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def wait_ready(server: EmbeddedPostgres | EmbeddedValkey) -> None:
    """Wait until it serves; start it on another port if somebody took its own before it did.

    Raises StartError.
    """
    for _ in range(OTHER_PORTS):
        try:
            return server.wait_ready()
        except StartError:
            if server.dead() is None or is_free(server.port):
                raise
        server.launch()
    return server.wait_ready()
