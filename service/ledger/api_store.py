"""What the API asks of the ledger: enqueue, read, cancel, redrive, probe."""

from dataclasses import asdict, replace
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from psycopg.adapt import Buffer, Loader
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from service.errors import DatabaseAway, KeyInFlight, NotifyError, NotTried, Refused
from service.ledger.columns import columns
from service.ledger.db import is_not_the_rows
from service.ledger.store import Store
from service.limits import (
    IDEMPOTENCY_KEY_MAX_CHARS,
    PRODUCER_MAX_CHARS,
    RECIPIENT_MAX_CHARS,
    REFERENCE_MAX_CHARS,
)
from service.model.notification import Accepted, Attempt, Notification, Sentence, Standing
from service.model.search import Choice, DeadLetters, Found, Search
from service.model.verbs import CalledOff, Cancelled, NewUse, Probed, Redriven, SentAgain, Use
from service.text.addresses import spellings

# How many characters are shown of each text. `status` and `outcome` need no limit: constraints list
# their words.
TEXTS = {
    "producer": PRODUCER_MAX_CHARS,
    "channel": 63,
    "recipient": RECIPIENT_MAX_CHARS,
    "reference": REFERENCE_MAX_CHARS,
    "idempotency_key": IDEMPOTENCY_KEY_MAX_CHARS,
    "last_error_code": 100,
    "last_error": 500,
    "transaction_id": 20,
    "traceparent": 55,
}
STANDING_TEXTS = {"producer": PRODUCER_MAX_CHARS, "claimed_by": 250}
ATTEMPT_TEXTS = {"code": 100, "excerpt": 500, "worker": 250}
SUMMARY = columns(Notification, TEXTS, without=("payload", "attempts"))

PAGE_LOOK_MAX = 20_000  # 20 ms
# While nothing matches, page() is called again: of a long ledger each call opens few days.
PAGE_TURNS_MAX = 10
MOVE_LOOK_MAX = 100_000
BY_DESTINATION_LOOK_MAX = 20_000  # PostgreSQL spells the destination of each of them
ATTEMPTS_MAX = 100  # that are shown of one notification: the latest

FIND = f"select {SUMMARY}, payload from notify.notifications where id = %s"
STANDING = f"""
select {columns(Standing, STANDING_TEXTS)} from notify.notifications where id = %s
"""
SENDER = "select producer, channel, recipient, is_test from notify.notifications where id = %s"
# It reads one more than is shown: if that one comes, there are older attempts.
FIND_ATTEMPTS = f"""
select {columns(Attempt, ATTEMPT_TEXTS)} from notify.attempts
where notification_id = %s order by attempt desc limit {ATTEMPTS_MAX + 1}
"""
OLDER_ATTEMPTS = f"""
select {columns(Attempt, ATTEMPT_TEXTS)} from notify.attempts
where notification_id = %s and attempt < %s order by attempt desc limit {ATTEMPTS_MAX + 1}
"""
PAGE = f"""
select ids, following, looked, back_to from notify.page(
  p_producer => %(producer)s, p_status => %(status)s, p_channel => %(channel)s,
  p_reference => %(reference)s, p_recipients => %(recipients)s::text[],
  p_destination => %(destination)s, p_code => %(last_error_code)s, p_worker => %(worker)s,
  p_from => %(created_from)s, p_until => %(created_until)s, p_before => %(before)s,
  p_limit => %(limit)s, p_look_max => {PAGE_LOOK_MAX})
"""
# The status is asked again: it may have changed since. The bounds say which days to read.
PAGE_ROWS = f"""
select {SUMMARY}, null as payload from notify.notifications
where id = any(%(ids)s) and id between %(first)s and %(last)s
  and (%(status)s::text is null or status = %(status)s)
  and (%(producer)s::text is null or producer = %(producer)s)
order by id desc
"""
EMPTIED = """
select id from notify.notifications
where id = any(%(ids)s) and id between %(first)s and %(last)s and status = 'failed'
  and emptied_at is not null
order by id
"""
CANCEL = """
select c.id, c.status, c.settled_at, c.was_cancelled,
  notify.record_use(%(actor)s, %(key_id)s, %(verb)s,
    %(detail)s::jsonb || jsonb_build_object('cancelled', c.was_cancelled::integer))
from notify.cancel(array[%(id)s::uuid]) c
"""
SEND_AGAIN = """
select id, created_at, state,
  case when state = 'sent_again' then notify.record_use(%(actor)s, %(key_id)s, %(verb)s,
    %(detail)s || jsonb_build_object('copy', id)) end
from notify.send_again(%(id)s)
"""
# Writes into the audit what is done, `m`, in the statement that does it.
RECORDED = """
  case when not %(dry_run)s then notify.record_use(%(actor)s, %(key_id)s, %(verb)s,
    %(detail)s::jsonb || (pg_catalog.to_jsonb(m) - '{more,following}'::text[])) end
"""
CANCEL_MATCHING = f"""
select m.matched, m.cancelled, m.more, m.following, {RECORDED} from notify.cancel_matching(
  p_look_max => %(look_max)s, p_after => %(after)s, p_channel => %(channel)s,
  p_producer => %(producer)s, p_reference => %(reference)s, p_recipients => %(recipients)s::text[],
  p_destination => %(destination)s, p_from => %(created_from)s, p_until => %(created_until)s,
  p_limit => %(limit)s, p_dry_run => %(dry_run)s) m
"""
REDRIVE = f"""
select m.matched, m.redriven, m.expired, m.more, m.following, {RECORDED} from notify.redrive(
  p_look_max => %(look_max)s, p_after => %(after)s, p_ids => %(ids)s, p_channel => %(channel)s,
  p_code => %(last_error_code)s, p_reference => %(reference)s, p_producer => %(producer)s,
  p_recipients => %(recipients)s::text[], p_destination => %(destination)s,
  p_from => %(created_from)s, p_until => %(created_until)s, p_limit => %(limit)s,
  p_attempts => %(attempts)s, p_rate => %(rate_per_s)s, p_dry_run => %(dry_run)s) m
"""
ASK_PROBE = """
select p.states, p.kept_by, p.brought, notify.record_use(%(actor)s, %(key_id)s, %(verb)s,
  %(detail)s::jsonb || pg_catalog.to_jsonb(p))
from notify.ask_probe(%(channel)s, %(destination)s, %(actor)s) p
"""
AUDIT_PAGE = f"""
select ids, following from notify.audit_page(
  p_verb => %(verb)s, p_actor => %(actor)s, p_key_id => %(key_id)s, p_before => %(before)s,
  p_limit => %(limit)s, p_look_max => {PAGE_LOOK_MAX})
"""
USES = """
select id, at, actor, key_id, verb, detail from notify.audit where id = any(%s) order by id desc
"""
ENQUEUE_ALL = "select ord, id, created_at from notify.enqueue_all(%s::jsonb)"
ENQUEUE_KEYED = "select ord, id, created_at, replayed from notify.enqueue_keyed(%s::jsonb, '10 ms')"
KEY = b'"idempotency_key"'  # in a row that has one; elsewhere it does no harm
TAKES_KEY = "insert into notify.idempotency_keys"  # of enqueue_keyed() and take_key()
# Row security makes this fail, and then no row is to blame.
MAY_SEE_ROWS = "select from notify.notifications limit 0"
# A demoted primary, or a time limit; any other SQLSTATE may be about one row.
ABOUT_THE_SERVER = ("25006", "57014")
# 2 s is less than statement_timeout, which would cancel the rows before a slow one as well. Who
# holds a key was waited for by enqueue_keyed() already.
ENQUEUE = """
select ord, id, created_at, replayed, refusal from notify.enqueue(%s::jsonb, '2 s', '1 ms')
"""


class JsonText(Loader):
    """Read jsonb as the text it is: numbers of any length pass through unchanged."""

    def load(self, data: Buffer) -> msgspec.Raw:
        return msgspec.Raw(bytes(data))


class ApiStore(Store):
    """The API's calls. Every method may raise DatabaseAway."""

    async def enqueue(
        self, rows: bytes, *, is_in_haste: bool = False
    ) -> dict[int, Accepted | NotifyError]:
        """Insert a JSON array of rows as one commit; returns what became of each by its place.

        Places count from 1. Refused, DatabaseAway, NotTried or KeyInFlight: the row is not in the
        ledger. A place that is missing: somebody's trigger dropped the row without an error. Raises
        Refused if nothing was tried, because the array is no jsonb; KeyInFlight, only if
        `is_in_haste`, when an open transaction holds a key: then nothing is inserted.
        """
        async with self.pool.connection() as conn:
            text = rows.decode()
            try:
                cursor = await conn.execute(ENQUEUE_KEYED if KEY in rows else ENQUEUE_ALL, [text])
                return {n: Accepted(*accepted) for n, *accepted in await cursor.fetchall()}
            except psycopg.Error as error:
                if is_in_haste and is_about_a_key(error):
                    raise KeyInFlight("a key is in an open transaction") from error
                if error.sqlstate is None or error.sqlstate in ABOUT_THE_SERVER:
                    raise
                if isinstance(error, psycopg.errors.InsufficientPrivilege):
                    await conn.execute(MAY_SEE_ROWS)
            cursor = await conn.execute(ENQUEUE, [text])
            return {
                place: Accepted(*accepted) if refused is None else not_accepted(**refused)
                for place, *accepted, refused in await cursor.fetchall()
            }

    async def find(self, id: UUID) -> Notification | None:
        """Read one notification with its last attempts, one more than ATTEMPTS_MAX at most."""
        async with self.pool.connection() as conn:
            cursor = conn.cursor(row_factory=class_row(Notification))
            cursor.adapters.register_loader("jsonb", JsonText)
            await cursor.execute(FIND, [id])
            notification = await cursor.fetchone()
            if notification is None:
                return None
            attempts = conn.cursor(row_factory=class_row(Attempt))
            await attempts.execute(FIND_ATTEMPTS, [id])
            return replace(notification, attempts=(await attempts.fetchall())[::-1])

    async def older_attempts(self, id: UUID, before: int) -> list[Attempt]:
        """Read the attempts before a number, oldest first: one more than ATTEMPTS_MAX at most."""
        return (await self._rows(Attempt, OLDER_ATTEMPTS, [id, before]))[::-1]

    async def ask_end(self, ids: list[UUID]) -> dict[UUID, str]:
        """Ask that notify_end rings when they end; says of each that exists whether it has.

        By id: "ended", "asked", or "unasked" if somebody is moving it: ask again.
        """
        return dict(await self._tuples("select id, state from notify.ask_end(%s)", [ids]))

    async def page(
        self, which: Search, *, limit: int, before: UUID | None = None, looks_max: int | None = None
    ) -> Found:
        """Read up to `limit` notifications, newest first, before the id `before`; no payloads.

        A page may be short before the end, because only PAGE_LOOK_MAX rows are looked at; while
        nothing matches it looks on, PAGE_TURNS_MAX times, or until it saw `looks_max` rows.
        """
        asked = asdict(which) | {"limit": limit, "recipients": spelled(which.recipient)}
        looked = 0
        async with self.pool.connection() as conn:
            for _ in range(PAGE_TURNS_MAX):
                page = await conn.execute(PAGE, asked | {"before": before})
                [(ids, following, seen, back_to)] = await page.fetchall()
                looked += seen
                if ids or following is None or (looks_max is not None and looked >= looks_max):
                    break
                before = following
            found = Found(rows=[], following=following, looked=looked, back_to=back_to)
            if not ids:
                return found
            cursor = conn.cursor(row_factory=class_row(Notification))
            bounds = asked | {"ids": ids, "first": ids[-1], "last": ids[0]}
            await cursor.execute(PAGE_ROWS, bounds, prepare=False)
            return replace(found, rows=await cursor.fetchall())

    async def sender(self, id: UUID) -> tuple[str | None, str, str, bool] | None:
        """Read whose a notification is, its channel, its recipient, and whether it is a test.

        None: there is none.
        """
        found = await self._tuples(SENDER, [id])
        return found[0] if found else None

    async def standing(self, id: UUID) -> Standing | None:
        """Read where a notification stands, by its primary key. None: there is none."""
        found = await self._rows(Standing, STANDING, [id])
        return found[0] if found else None

    async def explain(self, id: UUID) -> list[Sentence]:
        """Say why a notification is where it is, the most important reason first."""
        return await self._rows(Sentence, "select * from notify.explain(%s)", [id])

    async def cancel(self, id: UUID, use: NewUse) -> Cancelled | None:
        """Cancel it unless somebody sends it; the audit gets `use`, and whether it was cancelled.

        None: there is no such notification. Raises Refused.
        """
        found = await self._tuples(CANCEL, recorded(use) | {"id": id})
        return Cancelled(*found[0][:-1]) if found else None

    async def send_again(self, id: UUID, use: NewUse) -> SentAgain | None:
        """Enqueue a copy of what has ended; if one is made, the audit gets `use` with its id.

        None: there is no such notification. Raises Refused.
        """
        found = await self._tuples(SEND_AGAIN, recorded(use) | {"id": id})
        return SentAgain(*found[0][:3]) if found else None

    async def emptied(self, ids: list[UUID]) -> list[UUID]:
        """Name the failed ones whose payload was emptied: they cannot be redriven."""
        bounds = {"ids": ids, "first": min(ids), "last": max(ids)}
        return [id for (id,) in await self._tuples(EMPTIED, bounds)]

    async def cancel_matching(
        self, which: Choice, *, after: UUID | None, limit: int, dry_run: bool, use: NewUse
    ) -> CalledOff:
        """Call off what is queued and matches, the oldest after the cursor `after` first.

        But for a dry run, the audit keeps `use` with the counts.
        """
        how = {"after": after, "limit": limit, "dry_run": dry_run}
        [row] = await self._tuples(CANCEL_MATCHING, looked_for(which) | how | recorded(use))
        return CalledOff(*row[:-1])

    async def redrive(
        self,
        which: DeadLetters,
        *,
        after: UUID | None,
        limit: int,
        attempts: int,
        rate_per_s: float,
        dry_run: bool,
        use: NewUse,
    ) -> Redriven:
        """Queue dead letters again, the oldest after the cursor `after` first.

        Each gets `attempts` more. But for a dry run, the audit keeps `use` with the counts.
        """
        how = {"after": after, "limit": limit, "attempts": attempts, "rate_per_s": rate_per_s,
               "dry_run": dry_run}  # fmt: skip
        [row] = await self._tuples(REDRIVE, looked_for(which) | how | recorded(use))
        return Redriven(*row[:-1])

    async def audit(
        self,
        *,
        verb: str | None,
        actor: str | None,
        key_id: str | None,
        before: int | None,
        limit: int,
    ) -> tuple[list[Use], int | None]:
        """Read up to `limit` uses, newest first, before the id `before`, and the cursor to go on.

        A page may be short before the end, because only PAGE_LOOK_MAX rows are looked at.
        """
        asked = {"verb": verb, "actor": actor, "key_id": key_id, "before": before, "limit": limit}
        [(ids, following)] = await self._tuples(AUDIT_PAGE, asked)
        return (await self._rows(Use, USES, [ids]) if ids else []), following

    async def ask_probe(self, channel: str, destination: str, *, use: NewUse) -> Probed | None:
        """Let workers try a destination that they keep rows back from. None: they keep none."""
        place = {"channel": channel, "destination": destination}
        rows = await self._tuples(ASK_PROBE, place | recorded(use))
        return Probed(*rows[0][:-1]) if rows else None


def looked_for(which: Choice) -> dict[str, Any]:
    """Return what narrows a search, and how many rows it may look at."""
    look_max = MOVE_LOOK_MAX if which.destination is None else BY_DESTINATION_LOOK_MAX
    return asdict(which) | {"look_max": look_max, "recipients": spelled(which.recipient)}


def spelled(recipient: str | None) -> list[str] | None:
    """Return the spellings under which a recipient may be stored; None: any recipient."""
    return None if recipient is None else spellings(recipient)


def recorded(use: NewUse) -> dict[str, Any]:
    """Return what the audit keeps, as parameters."""
    return asdict(use) | {"detail": Jsonb(use.detail)}


def is_about_a_key(error: psycopg.Error) -> bool:
    """Return whether a lock that was not to be had in time is that of a key, not of a table."""
    is_lock = isinstance(error, psycopg.errors.LockNotAvailable)
    return is_lock and TAKES_KEY in (error.diag.context or "")


def not_accepted(
    *, code: str, message: str, constraint: str = "", column: str = "", hint: str = ""
) -> NotifyError:
    """Say why enqueue() did not insert a row."""
    if code == "ND002":
        return NotTried(message)
    if code == "ND006":
        return KeyInFlight(message)
    if is_not_the_rows(code):
        return DatabaseAway(message)
    return Refused(message, constraint=constraint, column=column, hint=hint)
