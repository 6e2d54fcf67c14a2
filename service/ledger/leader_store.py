"""What the leading dispatcher asks of the ledger: what is due, and all that its jobs do."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from psycopg.adapt import Buffer, Loader
from psycopg.pq import Format

from service.config.settings import Settings
from service.ledger.kept_settings import KEEP_SETTINGS, kept
from service.ledger.store import Store
from service.model.leader import EmptiedPart, Folded, Lane, Lanes, Reaped
from service.model.server import Vitals

Stretch = tuple[UUID, UUID]  # a range of ids, without its end

Action = tuple[str, str]  # what was done, and to which partition

MEND_DUE = """
select mended, following, following_id from notify.mend_due(
  p_lo => %(lo)s, p_hi => %(hi)s, p_lane => %(lane)s::smallint,
  p_after => %(after)s::timestamptz, p_after_id => %(after_id)s, p_limit => %(limit)s)
"""
WATCH_FAULTS = """
select pg_catalog.count(*) from (
  select from notify.watch_faults where at > pg_catalog.clock_timestamp() - interval '30 days'
  limit 1000) as counted
"""
OLDEST_PAUSE = """
select pg_catalog.clock_timestamp() - pg_catalog.min(paused_at) from notify.pauses
where resumed_at is null and pg_catalog.isfinite(paused_at)
"""
NOTE_FIGURES = """
select notify.note_figures(
  %(leader)s, %(queued)s::bigint[], %(quiet)s, %(sending)s, %(is_estimate)s, %(oldest_due_age)s)
"""
BEGIN = ("-infinity", UUID(int=0))  # where mend_due() begins


class UuidBytes(Loader):
    """Read a uuid as its 16 bytes, as the ready set holds it: a third of the cost of a UUID."""

    format = Format.BINARY

    def load(self, data: Buffer) -> bytes:
        return bytes(data)


class LeaderStore(Store):
    """The leader's calls. Every method may raise DatabaseAway."""

    async def keep_settings(self, settings: Settings) -> str:
        """Write into the ledger what SQL must know of the settings; returns what was done."""
        [(done,)] = await self._tuples(KEEP_SETTINGS, kept(settings))
        return cast("str", done)

    async def due(self, lanes: list[int], floors: list[float | None], limit: int) -> list[Lane]:
        """Look at what is due in these lanes, each from its floor (epoch ms; None: the head)."""
        return await self._lanes(
            "select * from notify.due(%s::smallint[], %s::float8[], %s)", [lanes, floors, limit]
        )

    async def reconcile(self, limit: int) -> list[Lane]:
        """Look at every lane from its head."""
        return await self._lanes("select * from notify.reconcile(%s)", [limit])

    async def reap(self, limit: int, grace: timedelta) -> list[Reaped]:
        """Take back up to `limit` attempts whose lease has passed."""
        return await self._rows(Reaped, "select * from notify.reap(%s, %s)", [limit, grace])

    async def next_lease_in(self) -> timedelta | None:
        """Say how long until the earliest lease ends; at most zero: it has; None: there is none."""
        [(left,)] = await self._tuples("select notify.next_lease_in()")
        return cast("timedelta | None", left)

    async def lanes(self) -> Lanes:
        """Read how many notifications wait in each lane and are being sent."""
        [lanes] = await self._rows(Lanes, "select * from notify.lanes()")
        return lanes

    async def note_figures(self, leader: str, lanes: Lanes) -> None:
        """Note in the ledger how the queue stands, as this leader has just read it."""
        await self._tuples(NOTE_FIGURES, {"leader": leader, **asdict(lanes)})

    async def vitals(self) -> Vitals:
        """Read how PostgreSQL itself stands."""
        [vitals] = await self._rows(Vitals, "select * from notify.vitals()")
        return vitals

    async def watch_faults(self) -> int:
        """Count what watches could not tell in the last 30 days, up to 1000."""
        [(count,)] = await self._tuples(WATCH_FAULTS)
        return cast("int", count)

    async def oldest_pause_age(self) -> timedelta | None:
        """Say for how long what was paused first has been paused; None: nothing is."""
        [(age,)] = await self._tuples(OLDEST_PAUSE)
        return cast("timedelta | None", age)

    async def turn_keys(self) -> None:
        """Forget the idempotency keys whose window has passed, if it is time and none is in use."""
        await self._tuples("select notify.turn_keys()")

    async def doubt_clock(self) -> None:
        """Let nothing be forgotten for a day, because the ledger's clock has jumped."""
        await self._tuples("select notify.doubt_clock()")

    async def forget_from(self) -> datetime | None:
        """Say from when on history may be forgotten; None: it may."""
        [(at,)] = await self._tuples("select notify.forget_from()")
        return cast("datetime | None", at)

    async def set_due_aside(self, limit: int) -> int | None:
        """Set aside what is paused among the first `limit` of each lane; None: nothing is."""
        [(count,)] = await self._tuples("select notify.set_due_aside(%s)", [limit])
        return cast("int | None", count)

    async def bring_back(self, limit: int) -> int:
        """Bring back what was resumed, until `limit` are due in each lane; returns how many."""
        [(count,)] = await self._tuples("select notify.bring_back(%s)", [limit])
        return cast("int", count)

    async def bring_strays_back(self, limit: int) -> int:
        """Bring back up to `limit` that wait for a pause that is not there; returns how many."""
        [(count,)] = await self._tuples("select notify.bring_strays_back(%s)", [limit])
        return cast("int", count)

    async def fold_slo(self, limit: int) -> list[Folded]:
        """Move up to `limit` rows of slo_deltas into slo_daily."""
        return await self._rows(Folded, "select * from notify.fold_slo(%s)", [limit])

    async def make_days(self, days_ahead: int, retention: timedelta) -> list[Action]:
        """Make the partitions of the days to come."""
        return await self._tuples(
            "select action, partition from notify.make_days(%s, %s)", [days_ahead, retention]
        )

    async def drop_days(self, retention: timedelta, limit: int) -> list[Action]:
        """Drop up to `limit` days whose retention has passed."""
        return await self._tuples(
            "select action, partition from notify.drop_days(%s, %s)", [retention, limit]
        )

    async def sweep_default(self, retention: timedelta, limit: int) -> list[Action]:
        """Delete up to `limit` old rows that have no day's partition."""
        return await self._tuples(
            "select action, partition from notify.sweep_default(%s, %s)", [retention, limit]
        )

    async def tend_days(self, limit: int) -> list[Action]:
        """Note which of up to `limit` days of a long ledger are quiet."""
        return await self._tuples("select action, partition from notify.tend_days(%s)", [limit])

    async def empty_payloads(self, age: timedelta, limit: int) -> EmptiedPart | None:
        """Empty the payloads of the next rows that ended so long ago; None: no day is due."""
        parts = await self._rows(
            EmptiedPart, "select * from notify.empty_payloads(%s, %s)", [age, limit]
        )
        return parts[0] if parts else None

    async def stretches(self, days: int) -> list[Stretch]:
        """Cut the ledger into ranges of up to `days` days each, oldest first."""
        return await self._tuples(
            "select lo, hi from notify.stretches(%s, %s, %s)",
            [UUID(int=0), UUID(int=2**128 - 1), days],
        )

    async def mend_due(
        self, stretch: Stretch, lane: int, after: tuple[datetime, UUID] | None, limit: int
    ) -> tuple[int, tuple[datetime, UUID] | None]:
        """Pull back each due_at that was set while the clock was ahead.

        Returns how many rows, and the `after` to go on with; None: that was all.
        """
        (lo, hi), (after_at, after_id) = stretch, after or BEGIN
        place = {"lo": lo, "hi": hi, "lane": lane, "after": after_at, "after_id": after_id}
        [(mended, following, following_id)] = await self._tuples(MEND_DUE, place | {"limit": limit})
        return mended, (following, following_id) if following else None

    async def mend_leases(self, stretch: Stretch, lease: timedelta, limit: int) -> int:
        """Cut up to `limit` leases to the length that a claim gets now; returns how many."""
        [(cut,)] = await self._tuples(
            "select notify.mend_leases(%s, %s, %s, %s)", [*stretch, lease, limit]
        )
        return cast("int", cut)

    async def _lanes(self, query: str, params: list[Any]) -> list[Lane]:
        async with self.pool.connection() as conn:
            cursor = conn.cursor(binary=True)
            cursor.adapters.register_loader("uuid", UuidBytes)
            await cursor.execute(query, params)
            return [Lane(*row) for row in await cursor.fetchall()]
