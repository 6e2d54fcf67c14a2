"""A worker's session with PostgreSQL: safe from others' settings, and from a server's silence."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.types.string import TextLoader

from service.errors import DatabaseAway
from service.ledger.db import (
    CANCEL_MAX_S,
    check_encoding,
    conninfo,
    end_with_sync,
    is_quiet,
    is_shared,
    pins_errors,
    translated,
)
from service.ledger.pins import session_pins, transaction_pins
from service.logs.outage import Outage
from service.names.lookups import Lookups
from workers.ledger_hosts import located

STATEMENT_TIMEOUT_S = 4.0
SILENCE_MAX_S = 5.0  # a proxy that lost its server may keep TCP alive for ever


class Session:
    """The connection of one thread: opened when it is first needed, and again after it broke."""

    def __init__(self, database_url: str, thread: str, outage: Outage) -> None:
        self.connection: Connection | None = None
        self._conninfo = conninfo(database_url, "notify-work")
        self._thread = thread
        self._outage = outage
        self._lookups = Lookups()
        self._has_failed = False
        self._opened_at = -math.inf

    def rows(self, query: str, args: Sequence[object]) -> list[tuple[Any, ...]]:
        """Call one function of the ledger."""
        with self._answering():
            return self._opened().execute(query, args, prepare=True).fetchall()

    def open(self) -> None:
        """Open the connection, unless one is open that has not ended."""
        with self._answering():
            self._opened()

    def close(self) -> None:
        """Close the connection."""
        if self.connection is not None:
            with suppress(psycopg.Error):
                self.connection.close()
            self.connection = None

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Note whether PostgreSQL answers. Raises DatabaseAway."""
        try:
            with translated():
                yield
        except DatabaseAway as away:
            self.close()
            self._outage.found_dead()
            if self._has_failed:  # the first may be a connection that broke before a restart
                self._outage.away(away, self._thread)
            self._has_failed = True
            raise
        self._has_failed = False
        self._outage.back(self._thread)

    def _opened(self) -> "Connection":
        """Return the connection, or a new one if it ended while nothing was to do.

        A connection as old as one that another thread has found dead is not tried either.
        """
        if self.connection is not None and not is_quiet(self.connection.pgconn):
            self._outage.found_dead()
        if self._opened_at < self._outage.missed_at:
            self.close()
        if self.connection is None:
            self.connection = connect(self._target())
            self._opened_at = time.monotonic()
        return self.connection

    def _target(self) -> str:
        """Return where to connect, with the addresses of the hosts that have names."""
        try:
            hosts = located(conninfo_to_dict(self._conninfo), self._lookups)
        except OSError as error:
            raise psycopg.OperationalError(str(error)) from error
        return make_conninfo(self._conninfo, **hosts)


class Connection(psycopg.Connection[Any]):
    """Waits for an answer no longer than SILENCE_MAX_S; then it raises an OperationalError."""

    pins: Sequence[str] = ()  # sent before each statement: a pooler gives each another session

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, SILENCE_MAX_S)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                with suppress(psycopg.Error):
                    self.cancel_safe(timeout=CANCEL_MAX_S)
            raise


class SharedCursor(psycopg.Cursor[Any]):
    """Executes each statement behind our pins, as one transaction and one round trip."""

    connection: Connection

    def execute(self, *args: Any, **kwargs: Any) -> Self:
        """Execute as Cursor does; the statement is a transaction of its own."""
        with self.connection.pipeline() as pipeline:
            end_with_sync(pipeline)
            for pins in self.connection.pins:
                psycopg.Cursor(self.connection).execute(pins)
            return super().execute(*args, **kwargs)


def connect(target: str) -> Connection:
    """Open a connection that reads a UUID as text: a worker only passes it on."""
    connection = Connection.connect(target, autocommit=True)
    try:
        pin(connection)
    except BaseException:
        connection.close()
        raise
    connection.adapters.register_loader("uuid", TextLoader)
    return connection


def pin(connection: Connection) -> None:
    """Pin our settings, so that none of others is in force. Raises Unfit."""
    check_encoding(connection.pgconn)
    pins = session_pins(STATEMENT_TIMEOUT_S, connection.pgconn.backend_pid)
    with pins_errors():
        _, cursor, _ = [connection.execute(pin, prepare=False) for pin in pins]
        pid, isolation, _ = cursor.fetchall()[0]
    if is_shared(connection.pgconn, pid):
        connection.pins = transaction_pins(STATEMENT_TIMEOUT_S, isolation)
        connection.cursor_factory = SharedCursor
        connection.prepare_threshold = None
