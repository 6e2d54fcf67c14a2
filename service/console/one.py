"""The screen of one notification: what happened to it, what is next, and what can be done."""

from dataclasses import replace
from typing import Any

from aiohttp import web

from service.access.caller import Caller
from service.access.scopes import CANCEL, OPERATE, may, sees_all
from service.api.door import reach_fault, sending_fault
from service.api.parts import Parts
from service.api.read import ReadHandler, notification_id
from service.api.read_limit import ReadLimit
from service.api.sight import visible
from service.console import by_hand
from service.console.screen import Screen
from service.http.problems import Fault, Problem, invalid
from service.ledger.read_store import ATTEMPTS_MAX
from service.model.notification import Notification
from service.model.words import Channel, Outcome, Status
from service.text.indented import indented

LOOKS_AT_ONCE = 2
LONG_CHARS = 4000  # a longer payload is folded
ATTEMPT_MAX = 2**31 - 1
OUTCOMES = {
    Outcome.SENT: "taken by the receiver",
    Outcome.TEMPORARY: "failed; another try may help",
    Outcome.PERMANENT: "failed for good",
    Outcome.THROTTLED: "the receiver said: not now",
    Outcome.UNREACHABLE: "nobody was reached",
    Outcome.DEFERRED: "the receiver said: this one later",
    Outcome.UNKNOWN: "it may have arrived, or not",
    Outcome.EXPIRED: "expired before it began",
    Outcome.LEASE_EXPIRED: "its worker did not say what came of it",
}


class One:
    """Shows one notification to who may see it."""

    def __init__(self, parts: Parts) -> None:
        self._store = parts.reads
        self._read = ReadHandler(parts.reads)
        self._turns = ReadLimit(LOOKS_AT_ONCE, 200)
        self._mail_from = parts.settings.mail_from
        self._patience_mins = f"{parts.settings.breaker_patience_mins:g}"

    async def screen(self, request: web.Request, caller: Caller) -> Screen:
        """Show it; with `?before=N` the attempts before that one."""
        id, before = notification_id(request), attempt_before(request)
        async with self._turns.admitted(caller.producer):
            found = await self._read.found(id, caller)
            standing = await self._store.standing(id)
            reasons = await self._store.explain(id)
            if before is not None:
                older = await self._store.older_attempts(id, before)
                found = replace(found, attempts=older)
        if standing is None:  # its day was dropped a moment ago
            raise Problem("notification_not_found")
        shown = visible(found, caller)
        attempts = shown.attempts or []
        is_part = "HX-Request" in request.headers  # the script takes #live alone
        hides = is_part or shown is not found
        return Screen(
            template="one.html",
            title=f"Notification {id}",
            shows={
                "n": shown,
                "standing": standing,
                "reasons": reasons,
                "attempts": attempts[-ATTEMPTS_MAX:],
                "has_older": len(attempts) > ATTEMPTS_MAX,
                "before": before,
                "unsent": unsent(shown) if before is None else 0,
                "outcomes": OUTCOMES,
                "patience_mins": self._patience_mins,
                "verbs": verbs(found, caller),
                "is_part": is_part,
                "content": None if hides else content(found, self._mail_from),
            },
        )


def unsent(n: Notification) -> int:
    """Count the attempts that workers began and gave back unsent; 0 as well: it is not known.

    Only those that ended have a row. Of many, not all rows are read.
    """
    ended = n.attempts or []
    if len(ended) > ATTEMPTS_MAX:
        return 0
    is_under_way = n.status == Status.SENDING and n.attempt not in (a.attempt for a in ended)
    return max(n.attempt - len(ended) - is_under_way, 0)


def attempt_before(request: web.Request) -> int | None:
    """Read `before`. Raises Problem."""
    text = request.query.get("before", "")
    if not text:
        return None
    if len(text) <= 10 and text.isascii() and text.isdigit() and int(text) <= ATTEMPT_MAX:
        return int(text)
    sentence = "Give the number of an attempt."
    raise invalid([Fault("invalid_parameter", sentence, parameter="before")])


def verbs(notification: Notification, caller: Caller) -> frozenset[str]:
    """Name what this caller can do to it now: cancel, redrive, send_again."""
    has_ended = notification.settled_at is not None
    may_resend = (
        may(caller, OPERATE)
        and reach_fault(caller, notification.channel, notification.recipient) is None
    )
    can = {
        "cancel": notification.status == Status.QUEUED and may_cancel(notification, caller),
        "redrive": may_resend and notification.status == Status.FAILED,
        "send_again": may_resend and has_ended,
    }
    gone = {"redrive", "send_again"} if notification.emptied_at is not None else set()
    return frozenset(verb for verb, is_possible in can.items() if is_possible) - gone


def may_cancel(notification: Notification, caller: Caller) -> bool:
    """Return whether the API would let a caller cancel it."""
    if sees_all(caller):
        return True
    return (
        may(caller, CANCEL)
        and (caller.kind != "test" or notification.is_test)
        and sending_fault(caller, notification.channel, notification.recipient) is None
    )


def content(notification: Notification, mail_from: str | None) -> dict[str, Any] | None:
    """Return what is sent, and how it would be by hand. None: the payload was emptied."""
    if notification.emptied_at is not None:
        return None
    text = by_hand.raw(notification)
    headers, no_headers = [], ""
    try:
        headers = by_hand.headers(notification, mail_from)
    except ValueError as error:
        no_headers = str(error)
    return {
        "raw": text,
        "pretty": indented(text),
        "is_long": len(text) > LONG_CHARS,
        "bytes": len(text.encode()),
        "headers": headers,
        "no_headers": no_headers,
        "command": by_hand.command(notification, text),
        "body_file": by_hand.BODY_FILE if len(text) > by_hand.ARGUMENT_MAX_CHARS else "",
        "is_webhook": notification.channel == Channel.WEBHOOK,
    }
