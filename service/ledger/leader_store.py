"""What the leading dispatcher asks of the ledger: what is due, and all that its jobs do."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.adapt import Buffer, Loader
from psycopg.pq import Format
from psycopg.rows import class_row

from service.ledger.store import Store
from service.model import Folded, Lane, Reaped, Vitals

Stretch = tuple[UUID, UUID]  # a range of ids, the end left out


class UuidBytes(Loader):
    """Read a uuid as its 16 bytes: what the ready set holds, at a third of the cost of UUIDs."""

    format = Format.BINARY

    def load(self, data: Buffer) -> bytes:
        return bytes(data)


class LeaderStore(Store):
    """The leader's calls. Every method may raise DatabaseAway."""

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

    async def make_days(self, days_ahead: int, retention: timedelta) -> list[tuple[str, str]]:
        """Make the partitions of the days to come; returns (action, partition)."""
        return await self._partitions(
            "select action, partition from notify.make_days(%s, %s)", [days_ahead, retention]
        )

    async def drop_days(self, retention: timedelta, limit: int) -> list[tuple[str, str]]:
        """Drop up to `limit` days whose retention has passed; returns (action, partition)."""
        return await self._partitions(
            "select action, partition from notify.drop_days(%s, %s)", [retention, limit]
        )

    async def sweep_default(self, retention: timedelta, limit: int) -> list[tuple[str, str]]:
        """Delete up to `limit` old rows outside of days; returns (action, partition)."""
        return await self._partitions(
            "select action, partition from notify.sweep_default(%s, %s)", [retention, limit]
        )

    async def tend_days(self, limit: int) -> list[tuple[str, str]]:
        """See what up to `limit` days of a long ledger hold; returns (action, partition)."""
        return await self._partitions("select action, partition from notify.tend_days(%s)", [limit])

    async def _partitions(self, sql: str, args: list[Any]) -> list[tuple[str, str]]:
        async with self.pool.connection() as conn:
            cursor = await conn.execute(sql, args)
            return await cursor.fetchall()

    async def stretches(self, days: int) -> list[Stretch]:
        """Cut the ledger into ranges of so many days each, oldest first."""
        async with self.pool.connection() as conn:
            cursor = await conn.execute(
                "select lo, hi from notify.stretches(%s, %s, %s)",
                [UUID(int=0), UUID(int=2**128 - 1), days],
            )
            return await cursor.fetchall()

    async def mend_due(
        self, stretch: Stretch, lane: int, after: tuple[datetime, UUID] | None, limit: int
    ) -> tuple[int, tuple[datetime, UUID] | None]:
        """Pull back what a clock that was ahead put off; says how many, and where to go on."""
        async with self.pool.connection() as conn:
            cursor = await conn.execute(
                "select mended, following, following_id"
                " from notify.mend_due(%s, %s, %s::smallint, %s::timestamptz, %s, %s)",
                [*stretch, lane, *(after or ("-infinity", UUID(int=0))), limit],
            )
            mended, following, id = (await cursor.fetchall())[0]
            return mended, (following, id) if following else None

    async def mend_leases(self, stretch: Stretch, lease: timedelta, limit: int) -> int:
        """Cut up to `limit` leases to what a claim is given now."""
        async with self.pool.connection() as conn:
            cursor = await conn.execute(
                "select notify.mend_leases(%s, %s, %s, %s)", [*stretch, lease, limit]
            )
            cut: int = (await cursor.fetchall())[0][0]
            return cut
