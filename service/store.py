"""Every SQL call of the asyncio side: one method per function of sql/, and the reads."""

from dataclasses import astuple, replace
from datetime import timedelta
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import msgspec
from psycopg.adapt import Buffer, Loader
from psycopg.pq import Format
from psycopg.rows import class_row

from service.db import Pool
from service.errors import DatabaseAway
from service.model import (
    Accepted,
    Attempt,
    Cancelled,
    Checkup,
    DeadLetters,
    Folded,
    Gauges,
    Lane,
    Notification,
    Reaped,
    Redriven,
    Vitals,
)
from service.schema import current_migration

SUMMARY = (
    "id, channel, recipient, null as payload, priority, status, attempt, max_attempts, send_at,"
    " due_at, expires_at, reference, created_at, settled_at, last_error_code, last_error"
)
WHOLE = SUMMARY.replace("null as payload", "payload")


class UuidBytes(Loader):
    """Read a uuid as its 16 bytes: what the ready set holds, at a third of the cost of UUIDs."""

    format = Format.BINARY

    def load(self, data: Buffer) -> bytes:
        return bytes(data)


class JsonText(Loader):
    """Read jsonb as the text it is: numbers of any length pass through unchanged."""

    def load(self, data: Buffer) -> msgspec.Raw:
        return msgspec.Raw(bytes(data))


class Store:
    """The verbs, on a pool. Every one may raise DatabaseAway."""

    def __init__(self, url: str, role: str, *, connections_max: int = 4) -> None:
        self.pool = Pool(url, role, connections_max)

    async def __aenter__(self) -> Self:
        """Open the pool: a database that is away is no error."""
        await self.pool.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.pool.close()

    async def enqueue(self, rows: bytes) -> list[Accepted]:
        """Insert a JSON array of rows as one commit; the answer is in their order.

        Raises Refused when one of them is wrong: then none is inserted.
        """
        async with self.pool.connection() as conn:
            cursor = await conn.execute(
                "select id, created_at from notify.enqueue(%s::jsonb)", [rows.decode()]
            )
            return [Accepted(*row) for row in await cursor.fetchall()]

    async def find(self, id: UUID) -> Notification | None:
        """Read one notification with every attempt; None if there is none."""
        async with self.pool.connection() as conn:
            cursor = conn.cursor(row_factory=class_row(Notification))
            cursor.adapters.register_loader("jsonb", JsonText)
            await cursor.execute(f"select {WHOLE} from notify.notifications where id = %s", [id])
            found = await cursor.fetchone()
            if found is None:
                return None
            attempts = conn.cursor(row_factory=class_row(Attempt))
            await attempts.execute(
                "select attempt, started_at, took_ms, outcome, code, excerpt, worker, counted"
                " from notify.attempts where notification_id = %s order by attempt", [id]
            )  # fmt: skip
            return replace(found, attempts=await attempts.fetchall())

    async def page(
        self,
        *,
        status: str | None,
        channel: str | None,
        reference: str | None,
        limit: int,
        before: UUID | None,
    ) -> list[Notification]:
        """Read up to `limit` notifications, newest first, before the id `before`; no payloads."""
        given = {"status": status, "channel": channel, "reference": reference}
        clauses = [f"{column} = %({column})s" for column, value in given.items() if value]
        if before is not None:
            clauses.append("id < %(before)s")
        where = f"where {' and '.join(clauses)}" if clauses else ""
        async with self.pool.connection() as conn:
            cursor = conn.cursor(row_factory=class_row(Notification))
            await cursor.execute(
                f"select {SUMMARY} from notify.notifications {where}"
                " order by id desc limit %(limit)s",
                {**given, "before": before, "limit": limit},
                prepare=False,
            )  # fmt: skip
            return await cursor.fetchall()

    async def cancel(self, ids: list[UUID]) -> list[Cancelled]:
        """Call off what nobody is sending; says what each of those that exist is now."""
        async with self.pool.connection() as conn:
            cursor = conn.cursor(row_factory=class_row(Cancelled))
            await cursor.execute("select * from notify.cancel(%s)", [ids])
            return await cursor.fetchall()

    async def redrive(
        self, which: DeadLetters, *, limit: int, attempts: int, rate_per_s: float, dry_run: bool
    ) -> Redriven:
        """Queue dead letters again, the oldest first, each for so many attempts more."""
        async with self.pool.connection() as conn:
            cursor = conn.cursor(row_factory=class_row(Redriven))
            await cursor.execute(
                "select * from notify.redrive(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                [*astuple(which), limit, attempts, rate_per_s, dry_run],
            )
            return (await cursor.fetchall())[0]

    async def missing(self) -> list[str]:
        """Say what is missing before work can be done; empty: ready. Never raises."""
        try:
            async with self.pool.connection() as conn:
                cursor = await conn.execute(
                    "select exists (select from public._yoyo_migration where migration_id = %s)",
                    [current_migration()],
                )
                row = await cursor.fetchone()
        except DatabaseAway as error:
            return [f"the database cannot be used: {error}"]
        return [] if row and row[0] else ["the schema is not current: run notify migrate"]

    async def due(self, lanes: list[int], floors: list[float | None], limit: int) -> list[Lane]:
        """Look at what is due in these lanes, each from its floor (epoch ms; None: the head)."""
        return await self._lanes(
            "select * from notify.due(%s::smallint[], %s::float8[], %s)", [lanes, floors, limit]
        )

    async def reconcile(self, limit: int) -> list[Lane]:
        """Look at every lane from its head."""
        return await self._lanes("select * from notify.reconcile(%s)", [limit])

    async def _lanes(self, sql: str, args: list[Any]) -> list[Lane]:
        async with self.pool.connection() as conn:
            cursor = conn.cursor(binary=True)
            cursor.adapters.register_loader("uuid", UuidBytes)
            await cursor.execute(sql, args)
            return [Lane(*row) for row in await cursor.fetchall()]

    async def reap(self, limit: int, grace: timedelta) -> list[Reaped]:
        """Take back up to `limit` attempts whose lease has passed."""
        async with self.pool.connection() as conn:
            cursor = conn.cursor(row_factory=class_row(Reaped))
            await cursor.execute("select * from notify.reap(%s, %s)", [limit, grace])
            return await cursor.fetchall()

    async def next_lease_in(self) -> timedelta | None:
        """Say how long until the earliest lease ends; zero or less: it has, None: there is none."""
        async with self.pool.connection() as conn:
            cursor = await conn.execute("select notify.next_lease_in()")
            left: timedelta | None = (await cursor.fetchall())[0][0]
            return left

    async def gauges(self) -> Gauges:
        """Read how the queue stands."""
        async with self.pool.connection() as conn:
            cursor = conn.cursor(row_factory=class_row(Gauges))
            await cursor.execute("select * from notify.gauges()")
            return (await cursor.fetchall())[0]

    async def vitals(self) -> Vitals:
        """Read how PostgreSQL itself stands."""
        async with self.pool.connection() as conn:
            cursor = conn.cursor(row_factory=class_row(Vitals))
            await cursor.execute("select * from notify.vitals()")
            return (await cursor.fetchall())[0]

    async def fold_slo(self, limit: int) -> list[Folded]:
        """Move up to `limit` rows of what ended lately into slo_daily."""
        async with self.pool.connection() as conn:
            cursor = conn.cursor(row_factory=class_row(Folded))
            await cursor.execute("select * from notify.fold_slo(%s)", [limit])
            return await cursor.fetchall()

    async def keep_partitions(self, days_ahead: int, retention: timedelta) -> list[tuple[str, str]]:
        """Make the days to come and drop the old ones; returns (action, partition)."""
        async with self.pool.connection() as conn:
            cursor = await conn.execute(
                "select action, partition from notify.keep_partitions(%s, %s)",
                [days_ahead, retention],
            )
            return await cursor.fetchall()

    async def checkup(self) -> Checkup:
        """Read what the doctor asks of the database."""
        async with self.pool.connection() as conn:
            cursor = conn.cursor(row_factory=class_row(Checkup))
            await cursor.execute("select * from notify.checkup()")
            return (await cursor.fetchall())[0]
