"""What the console's first screen asks of the ledger beside its figures: who leads, what stands."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from psycopg.rows import class_row

from service.ledger.connection import LEAD, Connection, lock_holder
from service.ledger.store import Store
from service.model.server import LockHolder

# What living workers keep back, a row for each destination and reason; the dead ones first.
KEPT_BACK = """
select k.channel, k.destination, k.state, k.since, k.until, k.code, m.meaning, m.advice,
  k.is_url
from (
  select d.channel, left(d.destination, 300) as destination, d.state,
    min(d.since) as since, max(d.until) as until, left(max(d.code), 100) as code,
    bool_and(d.url_hash <> '') as is_url
  from notify.destination_state d
  join notify.workers w on w.worker = d.worker
    and w.beat_at between clock_timestamp() - interval '30 seconds'
      and clock_timestamp() + interval '30 seconds'
  where d.state <> 'share'
  group by d.channel, d.destination, d.state
  order by d.state <> 'breaker', min(d.since), d.channel, d.destination
  limit %s
) k left join lateral notify.failure_means(k.code) m on k.code is not null
order by k.state <> 'breaker', k.since, k.channel, k.destination
"""
# A beat from the time to come was written before a clock went back.
BEAT = """
select clock_timestamp(), max(w.beat_at) filter (
  where w.beat_at < clock_timestamp() + interval '30 seconds')
from notify.workers w
"""
STUCK = "select kind, id, channel, priority, since, error from notify.stuck(%s, %s)"
# The bounds say which days to read.
RECIPIENTS = """
select id, recipient from notify.notifications where id = any(%(ids)s)
  and id between %(first)s and %(last)s
"""
FAILING = """
select f.channel, f.destination, f.sends, f.since,
  coalesce(m.meaning, 'The answers had no code') as meaning, m.advice, (
    select notify.readable(max(m.minute)) + interval '1 minute' from notify.destination_minutes m
    where m.minute <= clock_timestamp()) as counted_to
from notify.failing(%s) with ordinality f
left join lateral notify.failure_means(f.last_code) m on f.last_code is not null
order by f.ordinality
"""
KEPT_BACK_MAX = 50
# The busiest come first, and all that are kept back may be among them: these are left out later.
FAILING_MAX = KEPT_BACK_MAX + 4
STUCK_MAX = 5
OVERDUE = timedelta(minutes=1)
FAILURES_MAX = 5
FAILURES_LOOK_MAX = 1000
FAILED_IDS = f"""
select ids from notify.page(
  p_producer => null, p_status => 'failed', p_channel => null, p_reference => null,
  p_before => null, p_limit => {FAILURES_MAX}, p_look_max => {FAILURES_LOOK_MAX})
"""
FAILURES = """
select n.id, n.channel, n.settled_at, left(n.last_error_code, 100) as code, m.meaning, m.advice
from notify.notifications n cross join lateral notify.failure_means(n.last_error_code) m
where n.id = any(%(ids)s) and n.id between %(first)s and %(last)s and n.status = 'failed'
order by n.settled_at desc, n.id desc
"""


@dataclass(frozen=True, slots=True)
class KeptBack:
    """A destination from which living workers keep rows back. `destination` '': the mail server."""

    channel: str
    destination: str
    state: str  # breaker, pace, url or name
    since: datetime
    until: datetime | None
    code: str | None
    meaning: str | None
    advice: str | None = None
    is_url: bool = False  # only URLs of it are kept back, not all of it


@dataclass(frozen=True, slots=True)
class Failing:
    """A destination that took nothing of what was sent to it lately; see sql/failing.sql."""

    channel: str
    destination: str
    sends: int
    since: datetime
    meaning: str  # of the last failure
    advice: str | None
    counted_to: datetime  # the end of the newest minute that workers counted


@dataclass(frozen=True, slots=True)
class Stuck:
    """A notification that nothing moves by itself; sql/stuck.sql explains each kind."""

    kind: str
    id: UUID
    channel: str
    priority: int
    since: datetime
    error: str | None
    recipient: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A notification that failed lately, and what its code means."""

    id: UUID
    channel: str
    settled_at: datetime | None
    code: str | None
    meaning: str
    advice: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Who leads, and what stands. `leader` None: nobody; `beat_at` None: no worker ever was."""

    now_at: datetime
    beat_at: datetime | None  # of the worker that was heard of last
    leader: LockHolder | None
    kept_back: list[KeptBack]
    failing: list[Failing]
    stuck: list[Stuck]


class NowStore(Store):
    """The reads of that screen. Every method may raise DatabaseAway."""

    async def look(self) -> Standing:
        """Read all of it, on one connection."""
        async with self.pool.connection() as conn:
            [(now_at, beat_at)] = await (await conn.execute(BEAT)).fetchall()
            leader = await lock_holder(conn, LEAD)
            kept_back = conn.cursor(row_factory=class_row(KeptBack))
            await kept_back.execute(KEPT_BACK, [KEPT_BACK_MAX])
            failing = conn.cursor(row_factory=class_row(Failing))
            await failing.execute(FAILING, [FAILING_MAX])
            return Standing(
                now_at=now_at,
                beat_at=beat_at,
                leader=leader,
                kept_back=await kept_back.fetchall(),
                failing=await failing.fetchall(),
                stuck=await stuck(conn),
            )

    async def failures(self) -> list[Failure]:
        """Read the newest notifications that failed."""
        [(ids,)] = await self._tuples(FAILED_IDS)
        if not ids:
            return []
        bounds = {"ids": ids, "first": min(ids), "last": max(ids)}
        return await self._rows(Failure, FAILURES, bounds)


async def stuck(conn: Connection) -> list[Stuck]:
    """Read what nothing moves by itself."""
    rows = await (await conn.execute(STUCK, [OVERDUE, STUCK_MAX])).fetchall()
    if not rows:
        return []
    ids = [id for _, id, *_ in rows]
    bounds = {"ids": ids, "first": min(ids), "last": max(ids)}
    recipients = dict(await (await conn.execute(RECIPIENTS, bounds)).fetchall())
    return [
        Stuck(kind, id, channel, priority, since, error, recipients.get(id, ""))
        for kind, id, channel, priority, since, error in rows
    ]
