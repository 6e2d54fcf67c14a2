"""A worker's connection to PostgreSQL: no setting of others reaches it, no silence holds it up."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Self

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.types.string import TextLoader

from service.db import CANCEL_MAX_S, check_encoding, end_with_sync, is_shared, pins_errors
from service.pins import session_pins, transaction_pins

STATEMENT_TIMEOUT_S = 4.0
SILENCE_MAX_S = 5.0  # a proxy that lost its server may keep TCP alive for ever


class Connection(psycopg.Connection[Any]):
    """Waits for an answer no longer than SILENCE_MAX_S; then it raises an OperationalError."""

    pins: Sequence[str] = ()  # before each statement, as a pooler's session is another's after it

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
    """See to it that no setting of others reaches us. Raises Unfit."""
    check_encoding(connection.pgconn)
    pins = session_pins(STATEMENT_TIMEOUT_S, connection.pgconn.backend_pid)
    with pins_errors():
        _, cursor, _ = [connection.execute(pin, prepare=False) for pin in pins]
        pid, isolation, _ = cursor.fetchall()[0]
    if is_shared(connection.pgconn, pid):
        connection.pins = transaction_pins(STATEMENT_TIMEOUT_S, isolation)
        connection.cursor_factory = SharedCursor
        connection.prepare_threshold = None
