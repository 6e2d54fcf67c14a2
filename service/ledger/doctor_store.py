"""What `notify doctor` asks of the database beyond what the roles ask."""

from datetime import timedelta

from psycopg.rows import class_row

from service.ledger.connection import lock_holder
from service.ledger.schema import STRANGERS, tables
from service.ledger.store import Store
from service.model import Checkup, LockHolder


class DoctorStore(Store):
    """The doctor's calls. Every method may raise DatabaseAway."""

    async def strangers(self) -> list[str]:
        """Name what is in our schema and is not ours, and what elsewhere hangs on our tables."""
        async with self.pool.connection() as conn:
            cursor = await conn.execute(STRANGERS, [tables()])
            return [row[0] for row in await cursor.fetchall()]

    async def maintenance(
        self, days_ahead: int, retention: timedelta, limit: int
    ) -> list[tuple[str, str, str | None]]:
        """Say what is not done: (step, partition, cause), up to `limit` of each step."""
        async with self.pool.connection() as conn:
            cursor = await conn.execute(
                "select step, partition, cause from notify.maintenance(%s, %s, %s)",
                [days_ahead, retention, limit],
            )
            return await cursor.fetchall()

    async def checkup(self) -> Checkup:
        """Read what the doctor asks of the database."""
        async with self.pool.connection() as conn:
            cursor = conn.cursor(row_factory=class_row(Checkup))
            await cursor.execute(
                "select * from notify.checkup(pg_catalog.to_regclass('notifications'))"
            )
            return (await cursor.fetchall())[0]

    async def schema_found(self) -> str | None:
        """Name the schema in which this role finds `notifications`; None: in none."""
        async with self.pool.connection() as conn:
            cursor = await conn.execute(
                "select relnamespace::regnamespace::text from pg_catalog.pg_class"
                " where oid = pg_catalog.to_regclass('notifications')"
            )
            row = await cursor.fetchone()
            return row[0] if row else None

    async def lock_holder(self, lock: int) -> LockHolder | None:
        """Say who holds BELL or LEAD; None: nobody does."""
        async with self.pool.connection() as conn:
            return await lock_holder(conn, lock)
