"""Every SQL call of the asyncio side: one method per function of sql/, and the reads."""

from dataclasses import astuple, replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import msgspec
import psycopg
from psycopg.adapt import Buffer, Loader
from psycopg.pq import Format
from psycopg.rows import class_row

from service.errors import DatabaseAway, NotifyError, NotTried, Refused
from service.ledger.connection import lock_holder
from service.ledger.db import is_not_the_rows
from service.ledger.faults import Fault
from service.ledger.pool import Pool
from service.ledger.schema import STRANGERS, current_migration, functions, tables
from service.model import (
    Accepted,
    Attempt,
    Cancelled,
    Checkup,
    DeadLetters,
    Folded,
    Gauges,
    Lane,
    LockHolder,
    Notification,
    Reaped,
    Redriven,
    Vitals,
)

# Cut to what the columns may hold: a row from before these limits, or that was changed by hand,
# must not make an answer of megabytes, or one that cannot be read.
SUMMARY = (
    "id, left(channel, 63) as channel, left(recipient, 2048) as recipient, null as payload,"
    " priority, status, attempt, max_attempts, notify.readable(send_at) as send_at,"
    " notify.readable(due_at) as due_at, notify.readable(expires_at) as expires_at,"
    " left(reference, 255) as reference, notify.readable(created_at) as created_at,"
    " notify.readable(settled_at) as settled_at, left(last_error_code, 100) as last_error_code,"
    " left(last_error, 500) as last_error"
)
PAGE_LOOK_MAX = 20_000  # 20 ms
PAGE_TURNS_MAX = 10  # while nothing is found: each opens few days of a long ledger
REDRIVE_LOOK_MAX = 100_000
ATTEMPTS_MAX = 100  # that are shown of one notification: the latest

WHOLE = SUMMARY.replace("null as payload", "payload")
ENQUEUE_ALL = "select ord, id, created_at from notify.enqueue_all(%s::jsonb)"
# What row security hides is an error wherever we look; this names it all at once.
IS_IT_OURS_TO_SEE = "select from notify.notifications limit 0"
SERVERS_OWN = ("25006", "57014")  # a demoted primary, a time limit; any other may be a row's
# Less than the statement_timeout, so that a slow row at the end is no cancelled statement.
ENQUEUE = "select ord, id, created_at, refusal from notify.enqueue(%s::jsonb, '2 s')"

Stretch = tuple[UUID, UUID]  # a range of ids, the end left out


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

    async def enqueue(self, rows: bytes) -> dict[int, Accepted | NotifyError]:
        """Insert a JSON array of rows as one commit; says what became of each, by place, from 1.

        Refused, DatabaseAway or NotTried: it is not in the ledger. No answer: somebody's trigger
        dropped it. Raises Refused when nothing was tried, because the array is no jsonb.
        """
        async with self.pool.connection() as conn:
            text = rows.decode()
            try:
                cursor = await conn.execute(ENQUEUE_ALL, [text])
                return {n: Accepted(id, at) for n, id, at in await cursor.fetchall()}
            except psycopg.Error as error:
                if error.sqlstate is None or error.sqlstate in SERVERS_OWN:
                    raise
                if isinstance(error, psycopg.errors.InsufficientPrivilege):
                    await conn.execute(IS_IT_OURS_TO_SEE)  # if not, it is for no row
            cursor = await conn.execute(ENQUEUE, [text])
            return {
                place: Accepted(id, created_at) if refused is None else not_accepted(**refused)
                for place, id, created_at, refused in await cursor.fetchall()
            }

    async def find(self, id: UUID) -> Notification | None:
        """Read one notification with its last attempts, one more than ATTEMPTS_MAX at most."""
        async with self.pool.connection() as conn:
            cursor = conn.cursor(row_factory=class_row(Notification))
            cursor.adapters.register_loader("jsonb", JsonText)
            await cursor.execute(f"select {WHOLE} from notify.notifications where id = %s", [id])
            found = await cursor.fetchone()
            if found is None:
                return None
            attempts = conn.cursor(row_factory=class_row(Attempt))
            await attempts.execute(
                "select attempt, notify.readable(started_at) as started_at, took_ms, outcome,"
                " left(code, 100) as code, left(excerpt, 500) as excerpt,"
                " left(worker, 250) as worker, counted"
                " from notify.attempts where notification_id = %s order by attempt desc limit %s",
                [id, ATTEMPTS_MAX + 1],
            )
            return replace(found, attempts=(await attempts.fetchall())[::-1])

    async def page(
        self,
        *,
        status: str | None,
        channel: str | None,
        reference: str | None,
        limit: int,
        before: UUID | None,
    ) -> tuple[list[Notification], UUID | None]:
        """Read up to `limit` notifications, newest first, before the id `before`; no payloads.

        Gives the cursor to go on with as well, None at the end: a page may be short, as only
        PAGE_LOOK_MAX rows are looked at.
        """
        async with self.pool.connection() as conn:
            for _ in range(PAGE_TURNS_MAX):
                found = await conn.execute(
                    "select ids, following from notify.page(%s, %s, %s, %s, %s, %s)",
                    [status, channel, reference, before, limit, PAGE_LOOK_MAX],
                )
                ids, following = (await found.fetchall())[0]
                if ids or following is None:
                    break
                before = following
            cursor = conn.cursor(row_factory=class_row(Notification))
            if ids:
                # The status again: it may have changed since. The bounds name the days.
                await cursor.execute(
                    f"select {SUMMARY} from notify.notifications where id = any(%(ids)s)"
                    " and id between %(first)s and %(last)s"
                    " and (%(status)s::text is null or status = %(status)s) order by id desc",
                    {"ids": ids, "first": ids[-1], "last": ids[0], "status": status},
                    prepare=False,
                )
            return (await cursor.fetchall() if ids else []), following

    async def cancel(self, ids: list[UUID]) -> list[Cancelled]:
        """Call off what nobody is sending; says what each of those that exist is now."""
        async with self.pool.connection() as conn:
            cursor = conn.cursor(row_factory=class_row(Cancelled))
            await cursor.execute("select * from notify.cancel(%s)", [ids])
            return await cursor.fetchall()

    async def redrive(
        self,
        which: DeadLetters,
        *,
        after: UUID | None,
        limit: int,
        attempts: int,
        rate_per_s: float,
        dry_run: bool,
    ) -> Redriven:
        """Queue dead letters after a cursor again, the oldest first, for so many attempts more."""
        async with self.pool.connection() as conn:
            cursor = conn.cursor(row_factory=class_row(Redriven))
            await cursor.execute(
                "select * from notify.redrive(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                [REDRIVE_LOOK_MAX, after, *astuple(which), limit, attempts, rate_per_s, dry_run],
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
            if not (row and row[0]):
                return ["the schema is not current: run notify migrate"]
            faults = await self.faults(calls_all=False)
            return [str(fault) for fault in faults if fault.stops]
        except NotifyError as error:
            return [f"the database cannot be used: {error}"]

    async def faults(self, *, calls_all: bool = True) -> list[Fault]:
        """Say what of the schema is not as the road needs it. To call all costs by the day."""
        async with self.pool.connection() as conn:
            cursor = conn.cursor(row_factory=class_row(Fault))
            await cursor.execute(
                "select fault, remedy, stops from notify.faults(%s, %s, %s)",
                [list(functions()), tables(), calls_all],
            )
            return await cursor.fetchall()

    async def strangers(self) -> list[str]:
        """Name what is in our schema and is not ours, and what elsewhere hangs on our tables."""
        async with self.pool.connection() as conn:
            cursor = await conn.execute(STRANGERS, [tables()])
            return [row[0] for row in await cursor.fetchall()]

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

    async def lock_room(self) -> tuple[int, int]:
        """Read how many locks the server has room for: per transaction, and in how many of them."""
        async with self.pool.connection() as conn:
            cursor = await conn.execute(
                "select current_setting('max_locks_per_transaction')::integer,"
                " current_setting('max_connections')::integer"
                " + current_setting('max_prepared_transactions')::integer"
            )
            room: tuple[int, int] = (await cursor.fetchall())[0]
            return room

    async def _partitions(self, sql: str, args: list[Any]) -> list[tuple[str, str]]:
        async with self.pool.connection() as conn:
            cursor = await conn.execute(sql, args)
            return await cursor.fetchall()

    async def ledger(self) -> tuple[str, float]:
        """Read which ledger this is, and its clock, in seconds since 1970."""
        async with self.pool.connection() as conn:
            cursor = await conn.execute("select id, now_s from notify.ledger()")
            id, now_s = (await cursor.fetchall())[0]
            return id, now_s

    async def born_ahead(self) -> datetime | None:
        """Say when the newest row was created, if that is a time to come."""
        async with self.pool.connection() as conn:
            cursor = await conn.execute("select notify.born_ahead()")
            newest: datetime | None = (await cursor.fetchall())[0][0]
            return newest

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


def not_accepted(
    *, code: str, message: str, constraint: str = "", column: str = "", hint: str = ""
) -> NotifyError:
    """Say why enqueue() did not insert a row."""
    if code == "ND002":
        return NotTried(message)
    if is_not_the_rows(code):
        return DatabaseAway(message)
    return Refused(message, constraint=constraint, column=column, hint=hint)
