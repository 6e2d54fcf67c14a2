"""How the API reads notifications, what is said of them, and the audit."""

from dataclasses import asdict, replace
from uuid import UUID

import msgspec
from psycopg.adapt import Buffer, Loader
from psycopg.rows import class_row

from service.ledger.columns import columns
from service.ledger.store import Store
from service.limits import (
    IDEMPOTENCY_KEY_MAX_CHARS,
    PRODUCER_MAX_CHARS,
    RECIPIENT_MAX_CHARS,
    REFERENCE_MAX_CHARS,
)
from service.model.notification import Attempt, Notification, Sentence, Standing
from service.model.search import Found, Search
from service.model.verbs import Use
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
AUDIT_PAGE = f"""
select ids, following from notify.audit_page(
  p_verb => %(verb)s, p_actor => %(actor)s, p_key_id => %(key_id)s, p_before => %(before)s,
  p_limit => %(limit)s, p_look_max => {PAGE_LOOK_MAX})
"""
USES = """
select id, at, actor, key_id, verb, detail from notify.audit where id = any(%s) order by id desc
"""


class ReadStore(Store):
    """The reads, and the wish to hear of an end. Every method may raise DatabaseAway."""

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

    async def page(
        self, which: Search, *, limit: int, before: UUID | None = None, looks_max: int | None = None
    ) -> Found:
        """Read up to `limit` notifications, newest first, before the id `before`; no payloads.

        A page may be short before the end, because only PAGE_LOOK_MAX rows are looked at; while
        nothing matches it looks on, PAGE_TURNS_MAX times, or until it saw `looks_max` rows.
        """
        recipients = None if which.recipient is None else spellings(which.recipient)
        asked = asdict(which) | {"limit": limit, "recipients": recipients}
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

    async def ask_end(self, ids: list[UUID]) -> dict[UUID, str]:
        """Ask that notify_end rings when they end; says of each that exists whether it has.

        By id: "ended", "asked", or "unasked" if somebody is moving it: ask again.
        """
        return dict(await self._tuples("select id, state from notify.ask_end(%s)", [ids]))

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


class JsonText(Loader):
    """Read jsonb as the text it is: numbers of any length pass through unchanged."""

    def load(self, data: Buffer) -> msgspec.Raw:
        return msgspec.Raw(bytes(data))
