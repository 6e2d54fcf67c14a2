"""GET /notifications/{id}, GET /notifications/{id}/explain and GET /notifications."""

import re
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from aiohttp import web

from service.access.caller import Caller, caller_of
from service.access.scopes import sees_all, sees_payloads
from service.api.decoding import Timestamp
from service.api.matching import spelled
from service.api.redrive import CODE_MAX_CHARS
from service.api.views import (
    AttemptView,
    Detail,
    Explanation,
    Links,
    Page,
    PageLinks,
    Reason,
    Summary,
)
from service.http.problems import Problem
from service.http.query import Parameters, parameters
from service.ledger.read_store import ATTEMPTS_MAX, ReadStore
from service.limits import (
    DESTINATION_MAX_CHARS,
    PRODUCER_MAX_CHARS,
    RECIPIENT_MAX_CHARS,
    REFERENCE_MAX_CHARS,
)
from service.logs.logs import masked
from service.model.notification import Notification
from service.model.search import Found, Search
from service.model.words import Channel, Status
from service.text.checks import CONTROL

PAGE_ROWS = 50
PAGE_ROWS_MAX = 200
WORKER_MAX_CHARS = 250
TIME_MAX_CHARS = 64
NOTHING = Found(rows=[])
SHARED_FIELDS = [field for field in Summary.__struct_fields__ if field != "links"]


class ReadHandler:
    """Answer what became of notifications."""

    def __init__(self, store: ReadStore) -> None:
        self._store = store

    async def find(self, request: web.Request) -> web.Response:
        """Answer one notification."""
        return shown(request, await self.seen(request))

    async def seen(self, request: web.Request) -> Notification:
        """Read the notification in the path. Raises Problem if the caller may see none there."""
        return await self.found(notification_id(request), caller_of(request))

    async def found(self, id: UUID, caller: Caller) -> Notification:
        """Read a notification. Raises Problem if the caller may see none with this id."""
        notification = await self._store.find(id)
        if notification is None or not (sees_all(caller) or is_own(notification.producer, caller)):
            raise Problem("notification_not_found")
        return notification

    async def explain(self, request: web.Request) -> web.Response:
        """Answer why one notification is where it is."""
        id, caller = notification_id(request), caller_of(request)
        sender = await self._store.sender(id)
        if sender is None or not (sees_all(caller) or is_own(sender[0], caller)):
            raise Problem("notification_not_found")
        reasons = [Reason(**asdict(sentence)) for sentence in await self._store.explain(id)]
        return json_response(Explanation(id, reasons, Links(f"/notifications/{id}/explain")))

    async def page(self, request: web.Request) -> web.Response:
        """Answer a page of the list, with the link to the next one."""
        query, caller = parameters(request.query, PARAMETERS), caller_of(request)
        limit = query.pop("limit", PAGE_ROWS)
        before = query.pop("cursor", None)
        which = permitted(Search(**query), caller)
        found = NOTHING if which is None else await self._store.page(
            which, limit=limit, before=before
        )  # fmt: skip
        following = str(found.following) if found.following else None
        items = [summary(row, caller) for row in found.rows]
        return json_response(Page(items, following, PageLinks(next_link(request, following))))


def is_blind(caller: Caller) -> bool:
    """Return whether a caller sees no whole recipients of others."""
    return not sees_payloads(caller) or caller.kind == "test"


def permitted(which: Search, caller: Caller) -> Search | None:
    """Narrow a filter to what its caller may see; None: that is nothing.

    Whoever sees no whole recipients finds one only among what their own producer sent, which knows
    it: else a filter would tell to whom others send.
    """
    if sees_all(caller) and not (is_blind(caller) and which.recipient is not None):
        return which
    if which.producer not in (None, caller.producer):
        return None
    return replace(which, producer=caller.producer)


def summary(notification: Notification, caller: Caller) -> Summary:
    """Show what a caller may see of a notification in a list."""
    return Summary(**shared(visible(notification, caller)))


def shown(request: web.Request, notification: Notification) -> web.Response:
    """Answer what the caller may see of a notification."""
    return json_response(detail(visible(notification, caller_of(request))))


def is_own(producer: str | None, caller: Caller) -> bool:
    """Return whether a notification is its caller's own."""
    return producer is not None and producer == caller.producer


def visible(notification: Notification, caller: Caller) -> Notification:
    """Return what a caller may see of a notification. A test key sees payloads of tests alone."""
    if sees_payloads(caller) and (caller.kind != "test" or notification.is_test):
        return notification
    whole = notification.recipient
    return replace(
        notification,
        payload=None,
        recipient=masked(whole),
        last_error=own_words(whole, notification.last_error_code, notification.last_error),
        attempts=[
            replace(a, excerpt=own_words(whole, a.code, a.excerpt))
            for a in notification.attempts or ()
        ],
    )


def own_words(recipient: str, code: str | None, text: str | None) -> str | None:
    """Return what we say of an attempt, with its recipient masked; None: the receiver said it.

    A receiver repeats what it got: the path of its URL, the address in another spelling, the
    payload. Its status is the code, and tells no more than that.
    """
    if not text or (code and code.isdigit()):
        return None
    if not recipient:
        return text
    found = re.escape(recipient)
    if recipient.isascii() and recipient.isalnum():  # a word, which may be part of another
        found = rf"(?<![A-Za-z0-9]){found}(?![A-Za-z0-9])"
    return re.sub(found, lambda _: masked(recipient), text, flags=re.IGNORECASE)


def notification_id(request: web.Request) -> UUID:
    """Return the id in the path. Raises Problem: a text that is no UUID names no notification."""
    text = request.match_info["id"]
    try:
        return uuid(text)
    except ValueError:
        raise Problem("notification_not_found") from None


def detail(notification: Notification) -> Detail:
    """Show all of a notification. Its words are not checked: newer releases may write others."""
    fields = AttemptView.__struct_fields__
    attempts = [
        AttemptView(**{f: getattr(a, f) for f in fields}) for a in notification.attempts or ()
    ]
    return Detail(
        **shared(notification),
        payload=notification.payload,
        attempts=attempts[-ATTEMPTS_MAX:],
        has_older_attempts=len(attempts) > ATTEMPTS_MAX,
    )


def json_response(value: msgspec.Struct, status: int = 200) -> web.Response:
    """Render a document."""
    return web.Response(
        status=status,
        body=msgspec.json.encode(value),
        headers={"Content-Type": "application/json"},
    )


def next_link(request: web.Request, following: str | None) -> str | None:
    """Return the path of the following page: the same query, with another cursor."""
    if following is None:
        return None
    return f"{request.path}?{urlencode({**request.query, 'cursor': following})}"


def shared(notification: Notification) -> dict[str, Any]:
    """Return what a list shows of a notification, by field."""
    values = {field: getattr(notification, field) for field in SHARED_FIELDS}
    return {**values, "links": Links(f"/notifications/{notification.id}")}


def limit(text: str) -> int:
    """Parse a number of rows."""
    value = int(text) if len(text) < 5 and text.isascii() and text.isdigit() else 0
    if not 1 <= value <= PAGE_ROWS_MAX:
        raise ValueError("out of range")
    return value


def text_of(longest: int) -> Callable[[str], str]:
    """Make what parses a text without control characters, of so many characters at most."""

    def parse(text: str) -> str:
        if len(text) > longest or CONTROL.search(text):
            raise ValueError("too long, or with control characters")
        return text

    return parse


def text_sentence(longest: int) -> str:
    """Say what such a text is."""
    return f"Give 1 to {longest} characters, without control characters, once."


def destination(text: str) -> str:
    """Parse an origin, or the domain of mails."""
    return spelled(text_of(DESTINATION_MAX_CHARS)(text))


def time(text: str) -> datetime:
    """Parse a time of RFC 3339 with an offset."""
    if len(text) > TIME_MAX_CHARS:
        raise ValueError("too long")
    return msgspec.convert(text, Timestamp)


def uuid(text: str) -> UUID:
    """Parse an id, or a cursor, which is the last id of the page before."""
    if len(text) != 36:
        raise ValueError("no UUID")
    return UUID(text)


TEXTS = {
    "reference": REFERENCE_MAX_CHARS,
    "recipient": RECIPIENT_MAX_CHARS,
    "destination": DESTINATION_MAX_CHARS,
    "last_error_code": CODE_MAX_CHARS,
    "worker": WORKER_MAX_CHARS,
    "producer": PRODUCER_MAX_CHARS,
}
DESTINATION = "Give the origin of webhooks, such as https://example.org, or a mail domain, once."
TIME = "Give RFC 3339 with an offset, such as 2030-01-31T12:00:00Z, once."
PARAMETERS: Parameters = {
    "status": (f"Give one of {', '.join(Status)}, once.", Status),
    "channel": (f"Give one of {', '.join(Channel)}, once.", Channel),
    **{name: (text_sentence(longest), text_of(longest)) for name, longest in TEXTS.items()},
    "destination": (DESTINATION, destination),
    "created_from": (TIME, time),
    "created_until": (TIME, time),
    "limit": (f"Give a number from 1 to {PAGE_ROWS_MAX}, once; {PAGE_ROWS} if left out.", limit),
    "cursor": ("Give the `next` of the page before, once.", uuid),
}
