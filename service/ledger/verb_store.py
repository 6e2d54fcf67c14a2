"""What the API does to notifications that are in the ledger; the audit gets each use.

And what a redrive asks first.
"""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from service.ledger.store import Store
from service.model.search import Choice, DeadLetters
from service.model.verbs import CalledOff, Cancelled, NewUse, Probed, Redriven, SentAgain
from service.text.addresses import spellings

MOVE_LOOK_MAX = 100_000
BY_DESTINATION_LOOK_MAX = 20_000  # PostgreSQL spells the destination of each of them
EMPTIED = """
select id from notify.notifications
where id = any(%(ids)s) and id between %(first)s and %(last)s and status = 'failed'
  and emptied_at is not null
order by id
"""
RECIPIENTS_OF = """
select id, channel, recipient from notify.notifications
where id = any(%(ids)s) and id between %(first)s and %(last)s
  and status in ('failed', 'queued', 'sending')
order by id
"""
CANCEL = """
select c.id, c.status, c.settled_at, c.was_cancelled,
  case when c.was_cancelled then notify.record_use(%(actor)s, %(key_id)s, %(verb)s,
    %(detail)s::jsonb || jsonb_build_object('cancelled', 1)) end
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


class VerbStore(Store):
    """The verbs. Every method may raise DatabaseAway."""

    async def cancel(self, id: UUID, use: NewUse) -> Cancelled | None:
        """Cancel it unless somebody sends it; if it was cancelled now, the audit gets `use`.

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

    async def emptied(self, ids: list[UUID]) -> list[UUID]:
        """Name the failed ones whose payload was emptied: they cannot be redriven."""
        return [id for (id,) in await self._tuples(EMPTIED, bounded(ids))]

    async def recipients_of(self, ids: list[UUID]) -> list[tuple[UUID, str, str]]:
        """Read id, channel and recipient of those that failed, or may have a moment later."""
        return await self._tuples(RECIPIENTS_OF, bounded(ids)) if ids else []

    async def ask_probe(self, channel: str, destination: str, *, use: NewUse) -> Probed | None:
        """Let workers try a destination that they keep rows back from. None: they keep none."""
        place = {"channel": channel, "destination": destination}
        rows = await self._tuples(ASK_PROBE, place | recorded(use))
        return Probed(*rows[0][:-1]) if rows else None


def bounded(ids: list[UUID]) -> dict[str, Any]:
    """Return ids as parameters, with the bounds that say which days to read."""
    return {"ids": ids, "first": min(ids), "last": max(ids)}


def looked_for(which: Choice) -> dict[str, Any]:
    """Return what narrows a search, and how many rows it may look at."""
    look_max = MOVE_LOOK_MAX if which.destination is None else BY_DESTINATION_LOOK_MAX
    recipients = None if which.recipient is None else spellings(which.recipient)
    return asdict(which) | {"look_max": look_max, "recipients": recipients}


def recorded(use: NewUse) -> dict[str, Any]:
    """Return what the audit keeps, as parameters."""
    return asdict(use) | {"detail": Jsonb(use.detail)}
