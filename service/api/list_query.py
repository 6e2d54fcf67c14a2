"""What the list of notifications may be asked for: the parameters of its query."""

from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from aiohttp import web

from service.api.decoding import Timestamp
from service.api.matching import spelled
from service.api.redrive import CODE_MAX_CHARS
from service.http.query import Parameters
from service.limits import (
    DESTINATION_MAX_CHARS,
    PRODUCER_MAX_CHARS,
    RECIPIENT_MAX_CHARS,
    REFERENCE_MAX_CHARS,
)
from service.model.words import Channel, Status
from service.text.checks import CONTROL

PAGE_ROWS = 50
PAGE_ROWS_MAX = 200
WORKER_MAX_CHARS = 250
TIME_MAX_CHARS = 64


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


def next_link(request: web.Request, following: str | None) -> str | None:
    """Return the path of the following page: the same query, with another cursor."""
    if following is None:
        return None
    return f"{request.path}?{urlencode({**request.query, 'cursor': following})}"
