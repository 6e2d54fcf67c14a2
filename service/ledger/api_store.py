"""What the API asks of the ledger: enqueue, read, cancel, redrive."""

from dataclasses import astuple, replace
from uuid import UUID

import msgspec
import psycopg
from psycopg.adapt import Buffer, Loader
from psycopg.rows import class_row

from service.errors import DatabaseAway, NotifyError, NotTried, Refused
from service.ledger.db import is_not_the_rows
from service.ledger.store import Store
from service.model import Accepted, Attempt, Cancelled, DeadLetters, Notification, Redriven

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


class JsonText(Loader):
    """Read jsonb as the text it is: numbers of any length pass through unchanged."""

    def load(self, data: Buffer) -> msgspec.Raw:
        return msgspec.Raw(bytes(data))


class ApiStore(Store):
    """The API's calls. Every method may raise DatabaseAway."""

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


def not_accepted(
    *, code: str, message: str, constraint: str = "", column: str = "", hint: str = ""
) -> NotifyError:
    """Say why enqueue() did not insert a row."""
    if code == "ND002":
        return NotTried(message)
    if is_not_the_rows(code):
        return DatabaseAway(message)
    return Refused(message, constraint=constraint, column=column, hint=hint)
