"""One session of PostgreSQL under asyncio: with our settings pinned, and closed when silent."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, ClassVar, Self

import psycopg
from psycopg.abc import AdaptContext
from psycopg.adapt import Loader
from psycopg.pq import TransactionStatus
from psycopg.rows import class_row
from psycopg.types.datetime import DateLoader, IntervalLoader, TimestampLoader, TimestamptzLoader
from psycopg.waiting import wait_async

from service.ledger.db import (
    CANCEL_MAX_S,
    check_encoding,
    conninfo,
    end_with_sync,
    is_shared,
    pins_errors,
    translated,
)
from service.ledger.pins import PINS, session_pins, transaction_pins
from service.model.server import LockHolder

# A proxy that lost its server without a FIN may acknowledge what we send for ever, and TCP sees
# nothing wrong. It is longer than the statement_timeout, so that the server ends a slow statement.
ANSWER_MAX_S = 4.0
STATEMENT_TIMEOUT_S = 3.5

BELL, LEAD = 1, 2  # our advisory locks: the second key, after 1852798057

WITH_STYLE: dict[str, type[Loader]] = {
    "date": DateLoader,
    "interval": IntervalLoader,
    "timestamp": TimestampLoader,
    "timestamptz": TimestamptzLoader,
}


class Pinned:
    """Tells loaders our pins: a pooler's session reports what others have set instead."""

    STATUS: ClassVar = {
        name: PINS[name.decode().lower()].encode()
        for name in (b"DateStyle", b"IntervalStyle", b"TimeZone")
    }

    @property
    def connection(self) -> Self:
        """Stand in for the context's connection."""
        return self

    @property
    def pgconn(self) -> Self:
        """Stand in for its libpq connection as well."""
        return self

    def parameter_status(self, name: bytes) -> bytes | None:
        """Return the setting by which values are written."""
        return self.STATUS.get(name)


def pinned(loader: type[Loader]) -> type[Loader]:
    """Make a loader that takes our pins for granted."""

    class PinnedLoader(loader):  # type: ignore[valid-type,misc]
        def __init__(self, oid: int, _context: AdaptContext | None = None) -> None:
            super().__init__(oid, Pinned())

    return PinnedLoader


class Silent(psycopg.OperationalError):
    """No answer came in time: the connection may be dead without an error."""


class EndedWhileIdle(psycopg.OperationalError):
    """The connection ended while nobody used it."""


class SharedCursor(psycopg.AsyncCursor[Any]):
    """Executes our pins and then a statement, in one transaction and one round trip."""

    connection: "Connection"

    async def execute(self, *args: Any, **kwargs: Any) -> Self:
        """Execute as AsyncCursor does; the statement is a transaction of its own."""
        async with self.connection.pipeline() as pipeline:
            end_with_sync(pipeline)
            for pins in self.connection.pins:
                await psycopg.AsyncCursor(self.connection).execute(pins)
            return await super().execute(*args, **kwargs)


class Connection(psycopg.AsyncConnection[Any]):
    """Waits no longer than ANSWER_MAX_S for an answer; then it raises Silent, and is closed."""

    opened_at: float
    pins: Sequence[str] = ()  # go before each statement, as a pooler's session is shared

    @classmethod
    async def connect(cls, *args: Any, **kwargs: Any) -> Self:
        """Connect in autocommit, and pin our settings over those of others."""
        connection = await super().connect(*args, autocommit=True, **kwargs)
        connection.opened_at = time.monotonic()
        try:
            await connection._pin()
        except BaseException:
            connection.pgconn.finish()
            raise
        return connection

    async def _pin(self) -> None:
        check_encoding(self.pgconn)
        pins = session_pins(STATEMENT_TIMEOUT_S, self.pgconn.backend_pid)
        with pins_errors():
            _, cursor, _ = [await self.execute(pin, prepare=False) for pin in pins]
            pid, isolation, _ = (await cursor.fetchall())[0]
        if is_shared(self.pgconn, pid):
            self.pins = transaction_pins(STATEMENT_TIMEOUT_S, isolation)
            self.cursor_factory = SharedCursor
            self.prepare_threshold = None
            for name, loader in WITH_STYLE.items():
                self.adapters.register_loader(name, pinned(loader))

    async def wait(  # psycopg waits here for everything that it has asked
        self,
        gen: Any,
        interval: float = 0.1,  # left out: it wakes for a Ctrl-C, which asyncio handles itself
        timeout: float | None = None,  # noqa: ASYNC109 - psycopg's
    ) -> Any:
        if timeout is not None:
            return await super().wait(gen, timeout, timeout)
        try:
            return await wait_async(gen, self.pgconn.socket, ANSWER_MAX_S, ANSWER_MAX_S)
        except psycopg.OperationalError as error:
            if not self.is_waiting:
                raise
            with suppress(psycopg.Error):
                await self.cancel_safe(timeout=CANCEL_MAX_S)
            self.pgconn.finish()
            raise Silent(str(error)) from error
        except asyncio.CancelledError:
            if self.is_waiting:
                self.pgconn.finish()
            raise

    @property
    def is_waiting(self) -> bool:
        """Whether an answer is missing."""
        return self.pgconn.transaction_status == TransactionStatus.ACTIVE


async def lock_holder(conn: Connection, lock: int) -> LockHolder | None:
    """Return who holds BELL or LEAD, a stranger rather than one of ours; None: nobody does."""
    cursor = conn.cursor(row_factory=class_row(LockHolder))
    await cursor.execute("select * from notify.lock_holder(%s)", [lock])
    return await cursor.fetchone()


async def connect(url: str, role: str) -> Connection:
    """Open one direct connection, for LISTEN or session locks. Raises DatabaseAway."""
    with translated():
        return await Connection.connect(conninfo(url, role))
