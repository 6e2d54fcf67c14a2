"""Connections to PostgreSQL that are lent out, for asyncio."""

import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg_pool import AsyncConnectionPool

from service.ledger.connection import Connection, EndedWhileIdle, Silent
from service.ledger.db import conninfo, is_quiet, translated
from service.model.server import PoolStats


class Pool:
    """Lends connections, and replaces those that can no longer be trusted."""

    def __init__(self, url: str, role: str, connections_max: int) -> None:
        self._pool = AsyncConnectionPool(
            conninfo(url, role),
            min_size=1,
            max_size=connections_max,
            kwargs={"prepare_threshold": 0},
            check=self._look,
            timeout=2,  # a request waits no longer for a connection
            # The pool doubles its waits: with a longer limit, 14 s of waiting followed an outage of
            # 16 s. After this limit the next caller makes it begin again.
            reconnect_timeout=2,
            max_waiting=1000,
            connection_class=Connection,
            open=False,
        )
        self._drained_at = -math.inf

    async def open(self) -> None:
        """Begin to connect, in the background."""
        await self._pool.open()

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

    def ended(self) -> str | None:
        """Say that a task of the library ended: then it no longer connects. None: all run."""
        tasks = [self._pool._sched_runner, *self._pool._workers]
        gone = [task.get_name() for task in tasks if task is not None and task.done()]
        return f"{gone[0]} ended" if gone else None

    def stats(self) -> PoolStats:
        """Return how many connections it has, and who waits. Any thread may ask."""
        stats = self._pool.get_stats()
        idle = stats["pool_available"]
        return PoolStats(
            idle=idle,
            used=stats["pool_size"] - idle,
            waiting=stats["requests_waiting"],
            waited_s=stats.get("requests_wait_ms", 0) / 1000,
            timeouts=stats.get("requests_errors", 0),
        )

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection, and translate its errors.

        If one is dead, or read-only after a failover, the others probably are as well: all that are
        open are replaced, or each would cost one caller its time.
        """
        with translated():
            async with self._pool.connection() as conn:
                try:
                    yield conn
                except (Silent, psycopg.errors.ReadOnlySqlTransaction):
                    await self._replace_all(conn)
                    raise

    async def _look(self, conn: Connection) -> None:
        """Refuse a connection that ended while it was idle. The pool then tries another."""
        if not is_quiet(conn.pgconn):
            conn.pgconn.finish()
            await self._replace_all(conn)
            raise EndedWhileIdle("it ended while it was idle")

    async def _replace_all(self, conn: Connection) -> None:
        if conn.opened_at > self._drained_at:
            self._drained_at = time.monotonic()
            await self._pool.drain()
