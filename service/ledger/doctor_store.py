"""What `notify doctor` asks of the database beyond what the roles ask."""

from datetime import datetime, timedelta
from typing import cast

from service.ledger.connection import lock_holder
from service.ledger.schema import STRANGERS, tables, views
from service.ledger.store import Store
from service.model.server import Checkup, LockHolder

CHECKUP = "select * from notify.checkup(pg_catalog.to_regclass('notifications'))"
FIGURES_AGE = """
select extract(epoch from pg_catalog.clock_timestamp() - pg_catalog.max(at))::float8
from notify.figures
"""
FORGET_FROM = "select s.forget_from from notify.settings s where s.forget_from > clock_timestamp()"
SCHEMA_FOUND = """
select relnamespace::regnamespace::text from pg_catalog.pg_class
where oid = pg_catalog.to_regclass('notifications')
"""
# Scheme, host and port; a user stands before them, and is left out by who reads it.
RECEIVERS = """
select pg_catalog.substring(newest.recipient, '^[A-Za-z]+://[^/?#]*') as place, pg_catalog.count(*)
from (
  select n.recipient, n.channel, n.status, n.is_test from notify.notifications n
  where n.id >= notify.id_floor(pg_catalog.now() - %s)
  order by n.id desc limit %s
) newest
where newest.channel = 'webhook' and newest.status <> 'failed' and not newest.is_test
group by place order by count desc, place limit %s
"""


class DoctorStore(Store):
    """The doctor's calls. Every method may raise DatabaseAway."""

    async def strangers(self) -> list[str]:
        """Name what is not ours in our schema, and what in other schemas depends on our tables."""
        return [name for (name,) in await self._tuples(STRANGERS, [tables() + views()])]

    async def maintenance(
        self, days_ahead: int, retention: timedelta, limit: int
    ) -> list[tuple[str, str, str | None]]:
        """Say what maintenance has not done: (step, partition, cause), up to `limit` of a step."""
        return await self._tuples(
            "select step, partition, cause from notify.maintenance(%s, %s, %s)",
            [days_ahead, retention, limit],
        )

    async def checkup(self) -> Checkup:
        """Read how the server stands, and what of the ledger is overdue."""
        [checkup] = await self._rows(Checkup, CHECKUP)
        return checkup

    async def receivers(
        self, period: timedelta, rows_max: int, limit: int
    ) -> list[tuple[str | None, int]]:
        """Count webhooks by receiver: (scheme, user, host and port; how many), the most first.

        Of the newest rows of a period only, and without those that failed or were tests.
        """
        return await self._tuples(RECEIVERS, [period, rows_max, limit])

    async def schema_found(self) -> str | None:
        """Name the schema in which this role finds `notifications`; None: in none."""
        schemas = await self._tuples(SCHEMA_FOUND)
        return schemas[0][0] if schemas else None

    async def figures_age_s(self) -> float | None:
        """Say how many seconds ago the leader last counted; None: it never did, or long ago."""
        [(age_s,)] = await self._tuples(FIGURES_AGE)
        return cast("float | None", age_s)

    async def forget_from(self) -> datetime | None:
        """Say from when on old days may go; None: they may."""
        rows = await self._tuples(FORGET_FROM)
        return cast("datetime", rows[0][0]) if rows else None

    async def lock_holder(self, lock: int) -> LockHolder | None:
        """Say who holds the lock BELL or LEAD; None: nobody does."""
        async with self.pool.connection() as conn:
            return await lock_holder(conn, lock)
