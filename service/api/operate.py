"""What operators do: cancel one or all that match, redrive, send again.

The audit keeps what was done and, in the same row and the same commit, how many were moved: so
nothing moves that is not written down, and each use is read in one place. Of what PostgreSQL
refuses as a whole nothing is done, and nothing is kept.
"""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from aiohttp import web
from loguru import logger

from service.access.caller import Caller, caller_of
from service.access.scopes import sees_all
from service.api.cancel_many import read_cancel_many
from service.api.door import filter_fault, reach_fault, refuse_unless_sendable
from service.api.enqueue import read_body, receipt, refused
from service.api.json_answer import json_response
from service.api.matching import Filter, logged
from service.api.read import notification_id
from service.api.redrive import Redrive, read_redrive
from service.api.sight import is_blind, is_own, own_words
from service.api.slices import in_slices
from service.api.views import Cancellation, CancelReport, Links, RedriveReport
from service.config.settings import Settings
from service.errors import Refused
from service.http.problems import Problem
from service.ledger.enqueue_store import EnqueueStore
from service.ledger.read_store import ReadStore
from service.ledger.verb_store import VerbStore
from service.logs import logs
from service.metrics import ApiMetrics
from service.model.notification import Accepted
from service.model.verbs import Cancelled, NewUse, Redriven, SentAgain
from service.model.words import Status

NAMES_A_RECIPIENT = (
    "To name a recipient takes a key with scope read:payload, or its own producer in the filter."
)
ANYBODY = "anybody"  # the actor in the audit while there are no keys
NOTHING = (None, "", "", False)  # whose a notification is that does not exist
IN_THE_WAY = {
    Status.QUEUED: "not_ended",
    Status.SENDING: "not_ended",
    "emptied": "payload_emptied",
}  # of a copy; else the database dropped it
REFUSALS = {Status.SENDING: "already_sending", "locked": "notification_locked"}


class OperateHandler:
    """Move the notifications that operators name, if they may move; log one line for each call."""

    def __init__(
        self, settings: Settings, store: EnqueueStore, reads: ReadStore, metrics: ApiMetrics
    ) -> None:
        self._attempts = settings.max_attempts
        self._store = ReadStore.beside(store)
        self._verbs = VerbStore.beside(store)
        self._of_many = VerbStore.beside(reads)  # of many rows: it takes turns with the reads
        self._rows = metrics.operator_rows

    async def cancel(self, request: web.Request) -> web.Response:
        """Answer 200 if it will not be sent; ignore the body."""
        id, caller = notification_id(request), caller_of(request)
        if not sees_all(caller):
            await self._refuse_unless_own(id, caller)
        traces = await self._store.trace_ids([id])  # before: what was cancelled is not unsaid
        try:
            result = await self._verbs.cancel(id, used(caller, "cancel", {"id": str(id)}))
        except Refused as refusal:
            raise await self._told(refusal, id, caller) from None
        if result is None:
            raise Problem("notification_not_found")
        self._rows.labels("cancel").inc(result.was_cancelled)
        return json_response(cancellation(result, traces.get(id)))

    async def _told(self, refusal: Refused, id: UUID, caller: Caller) -> Problem:
        """Turn a refusal into a problem, with the recipient masked for who may not see it."""
        if is_blind(caller):
            _, _, recipient, _ = await self._store.sender(id) or NOTHING
            refusal = Refused(
                own_words(recipient, "refused", str(refusal)) or "",
                constraint=refusal.constraint,
                column=refusal.column,
                hint=own_words(recipient, "refused", refusal.hint) or "",
            )
        return refused(refusal)

    async def _refuse_unless_own(self, id: UUID, caller: Caller) -> None:
        """Raise Problem unless a notification is what its caller sent, or could have sent."""
        producer, channel, recipient, is_test = await self._store.sender(id) or NOTHING
        if not is_own(producer, caller):
            raise Problem("notification_not_found")
        if caller.kind == "test" and not is_test:
            raise Problem("scope_missing", "A test key cancels what a test key has sent.")
        refuse_unless_sendable(caller, channel, recipient)

    async def send_again(self, request: web.Request) -> web.Response:
        """Answer 202: a copy of what has ended is queued. Ignore the body.

        The key's channels and recipients bind; a scope to send is not asked for, as redrive does
        not either.
        """
        id, caller = notification_id(request), caller_of(request)
        sender = await self._store.sender(id)
        if sender is None:
            raise Problem("notification_not_found")
        _, channel, recipient, _ = sender
        if code := reach_fault(caller, channel, recipient):
            raise Problem(code)
        use = used(caller, "send_again", {"id": str(id)})
        try:
            again = accepted(await self._verbs.send_again(id, use))
        except Refused as refusal:
            raise await self._told(refusal, id, caller) from None
        self._rows.labels("send_again").inc()
        logger.info("sent_again", notification_id=again.id, repeats=id, channel=channel)
        status, headers, body = receipt(again)
        return web.Response(body=body, status=status, headers=headers)

    async def cancel_many(self, request: web.Request) -> web.Response:
        """Answer 200 with the counts, also when nothing matched."""
        asked = read_cancel_many(await read_body(request))
        refuse_guesses(asked.filter, caller_of(request))
        called_off = await self._of_many.cancel_matching(
            asked.which(),
            after=asked.cursor,
            limit=asked.limit_or_default(),
            dry_run=bool(asked.dry_run),
            use=used(caller_of(request), "cancel", asked.detail()),
        )
        self._rows.labels("cancel").inc(called_off.cancelled)  # none by a dry run
        counts = asdict(called_off)
        following = counts.pop("following")
        if not asked.dry_run:
            logger.info("cancelled_matching", **logged(asked.filter), **counts)
        return json_response(CancelReport(next=following, **counts))

    async def redrive(self, request: web.Request) -> web.Response:
        """Answer 200 with the counts, also when nothing matched.

        The key's channels and recipients bind, as they do for send-again.
        """
        asked = read_redrive(await read_body(request))
        refuse_guesses(asked.filter, caller_of(request))
        await self._refuse_unless_reached(asked, caller_of(request))
        if asked.ids and (gone := await self._of_many.emptied(asked.ids)):
            raise Problem("payload_emptied", f"Leave out {gone[0]}: its payload was emptied.")
        redriven = await self._of_many.redrive(
            asked.which(),
            after=asked.cursor,
            limit=asked.limit_or_default(),
            attempts=self._attempts,
            rate_per_s=asked.rate_or_default(),
            dry_run=bool(asked.dry_run),
            use=used(caller_of(request), "redrive", asked.detail()),
        )
        self._rows.labels("redrive").inc(redriven.redriven)  # none by a dry run
        if not asked.dry_run:
            log_redrive(asked, redriven)
        return json_response(report(redriven))

    async def _refuse_unless_reached(self, asked: Redrive, caller: Caller) -> None:
        """Raise Problem if a redrive could send to what its key does not reach."""
        if caller.channels is None and caller.recipients is None:
            return
        if asked.filter is not None and (fault := filter_fault(caller, asked.filter.channel)):
            raise Problem(*fault)
        rows = await self._of_many.recipients_of(asked.ids or [])
        codes = await in_slices(lambda row: reach_fault(caller, row[1], row[2]), rows)
        for (id, _, _), code in zip(rows, codes, strict=True):
            if code is not None:
                raise Problem(code, f"Leave out {id}: the key does not reach its recipient.")


def used(caller: Caller, verb: str, detail: dict[str, Any]) -> NewUse:
    """Say who uses a verb, for the audit."""
    return NewUse(actor=caller.producer or ANYBODY, key_id=caller.key_id, verb=verb, detail=detail)


def cancellation(result: Cancelled, trace: str | None) -> Cancellation:
    """Return the answer for one that is cancelled. Raises Problem with the reason if it is not."""
    if result.status != Status.CANCELLED:
        if code := REFUSALS.get(result.status):
            raise Problem(code)
        raise Problem("already_settled", f"It is {result.status} already.")
    if result.was_cancelled:
        traced = {} if trace is None else {"trace_id": trace}
        logger.info("cancelled", notification_id=result.id, **traced)
    return Cancellation(
        id=result.id, settled_at=result.settled_at, links=Links(f"/notifications/{result.id}")
    )


def refuse_guesses(filter_: Filter | None, caller: Caller) -> None:
    """Raise Problem if a count would tell to whom others send; see permitted()."""
    if filter_ is None or filter_.recipient is None or not is_blind(caller):
        return
    if filter_.producer is None or filter_.producer != caller.producer:
        raise Problem("scope_missing", NAMES_A_RECIPIENT)


def accepted(result: SentAgain | None) -> Accepted:
    """Return the copy. Raises Problem with what was in its way."""
    if result is None:
        raise Problem("notification_not_found")
    if result.id is None or result.created_at is None:
        raise Problem(IN_THE_WAY.get(result.state, "dropped_by_database"))
    return Accepted(result.id, result.created_at)


def log_redrive(asked: Redrive, redriven: Redriven) -> None:
    """Log the counts and the filter, and a line for each id that was named.

    The ledger does not say which of them moved; a claim of each that did is logged later.
    """
    logs.transitions("redrive_asked", ({"notification_id": id} for id in asked.ids or ()))
    counts = asdict(redriven)
    del counts["following"]
    logger.info("redriven", **logged(asked.filter), **counts)


def report(redriven: Redriven) -> RedriveReport:
    """Return the answer."""
    counts = asdict(redriven)
    return RedriveReport(next=counts.pop("following"), **counts)
