"""What the inbox of the same process caught: the newest in a list, and each on a screen."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from aiohttp import web

from service.access.caller import Caller
from service.access.scopes import sees_all, sees_payloads
from service.console.screen import Screen
from service.http.problems import Problem
from service.inbox.arrivals import UUID, Arrival, Arrivals
from service.inbox.inbox import Inbox
from service.inbox.mails import Mail, decoded_text, encodable, read_mail
from service.limits import NESTING_MAX, PAYLOAD_BYTES_MAX
from service.text.printable import printable, printable_lines

LISTED = 50
ABOUT_CHARS = 200  # of a subject or a body, in the list
SHOWN_CHARS = 64 * 1024  # of a body or a source on a screen; all of it is a link away
FRAME_CHARS = 512 * 1024  # of a mail's HTML
HEADERS_SHOWN = 200
HEADER_CHARS = 2000
BRACKET = re.compile(rb"[][{}]")
# What a mail brings runs and loads nothing: its own style and the images in it are all it has.
FRAME_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox;"
    " form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
# What makes a browser connect elsewhere before it asks the policy, as <link rel=preconnect> and
# frames do. The first have no end tag: what stands for them has none either.
ALONE = re.compile(r"<(/?)(?:base|embed|link|meta)", re.IGNORECASE)
AROUND = re.compile(r"<(/?)(?=i?frame|fencedframe|object|portal)", re.IGNORECASE)
FRAME_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": FRAME_POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-DNS-Prefetch-Control": "off",
}
SOURCE_HEADERS = FRAME_HEADERS | {"Content-Type": "text/plain; charset=utf-8"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One arrival in the list. `key`: the end of its path; `id`: of our notification, if any."""

    key: str
    id: str | None
    channel: str
    recipient: str
    arrived_at: datetime
    answer: int
    signature: str | None
    about: str


@dataclass(frozen=True, slots=True)
class Part:
    """A text, as much of it as is shown. `more`: characters that are not."""

    text: str
    more: int


class Caught:
    """Reads the inbox. Its content is shown to those who see everybody's payloads."""

    def __init__(self, inbox: Inbox | None) -> None:
        self._inbox = inbox

    async def newest(self, caller: Caller) -> list[Item] | None:
        """Give the newest arrivals, the newest first; None: there is no inbox, or not for them."""
        if self._inbox is None or not sees(caller):
            return None
        arrivals = self._inbox.arrivals
        found = await arrivals.after(arrivals.last - LISTED)
        return [item(arrivals, arrival) for arrival in reversed(found)]

    async def screen(self, request: web.Request, caller: Caller) -> Screen:
        """Show one arrival."""
        arrivals, arrival = self._found(request, caller)
        is_mail = arrival.channel == "email"
        mail = await read(arrival) if is_mail else None
        return Screen(
            template="caught.html",
            title="A mail in the inbox" if is_mail else "A request in the inbox",
            shows={
                "item": item(arrivals, arrival),
                "headers": headers(arrival.headers),
                "headers_left": max(0, len(arrival.headers) - HEADERS_SHOWN),
                "mail": mail,
                "text": None if mail is None or mail.text is None else part(mail.text),
                "html_left": max(0, len(mail.html or "") - FRAME_CHARS) if mail else 0,
                "body": part(source(arrival)) if is_mail else body(arrival),
                "size": len(arrival.content),
            },
        )

    async def frame(self, request: web.Request, caller: Caller) -> web.Response:
        """Answer the HTML of a mail, for a frame that can do nothing."""
        _, arrival = self._found(request, caller)
        mail = await read(arrival) if arrival.channel == "email" else None
        if mail is None or mail.html is None:
            raise Problem("not_found")
        html = quiet(mail.html[:FRAME_CHARS])
        return web.Response(body=html.encode(), headers=FRAME_HEADERS)

    async def source(self, request: web.Request, caller: Caller) -> web.Response:
        """Answer all that arrived, as plain text."""
        _, arrival = self._found(request, caller)
        return web.Response(body=source(arrival).encode(), headers=SOURCE_HEADERS)

    def _found(self, request: web.Request, caller: Caller) -> tuple[Arrivals, Arrival]:
        """Find the arrival that a path names. Raises Problem."""
        if not sees(caller):
            raise Problem("scope_missing", "It takes a key with scopes operate and read:payload.")
        arrivals = None if self._inbox is None else self._inbox.arrivals
        arrival = None if arrivals is None else arrivals.find(request.match_info["key"])
        if arrivals is None or arrival is None:
            raise Problem(
                "not_found",
                "The inbox has nothing of that name: newer arrivals took its room, or the inbox was"
                " started anew since.",
            )
        return arrivals, arrival


def sees(caller: Caller) -> bool:
    """Return whether a caller may see what arrived: the inbox does not know whose it is."""
    return sees_all(caller) and sees_payloads(caller)


def item(arrivals: Arrivals, arrival: Arrival) -> Item:
    """Show one arrival in a line."""
    is_ours = arrival.id is not None and UUID.fullmatch(arrival.id) is not None
    return Item(
        key=arrivals.cursor(arrival.number),
        id=arrival.id if is_ours else None,
        channel=arrival.channel,
        recipient=arrival.recipient,
        arrived_at=arrival.arrived_at,
        answer=arrival.answer,
        signature=arrival.signature,
        about=subject(arrival) if arrival.channel == "email" else beginning(arrival),
    )


def subject(arrival: Arrival) -> str:
    """Read the subject of a mail, as much as a list shows: decoding a long one takes long."""
    raw = next((value for name, value in arrival.headers if name.lower() == "subject"), "")
    return decoded_text(raw[: ABOUT_CHARS * 5])[:ABOUT_CHARS]


def beginning(arrival: Arrival) -> str:
    """Read the beginning of a body."""
    return arrival.content[: ABOUT_CHARS * 4].decode(errors="backslashreplace")[:ABOUT_CHARS]


async def read(arrival: Arrival) -> Mail:
    """Read a mail in a thread: one of a thousand parts takes time."""
    return await asyncio.to_thread(read_mail, arrival.content)


def quiet(html: str) -> str:
    """Rename the tags of a mail that would connect its reader to elsewhere."""
    return AROUND.sub(r"<\1x-", ALONE.sub(r"<\1wbr", html))


def headers(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Show the first headers, and the beginning of each."""
    shown = [(name, encodable(value[:HEADER_CHARS])) for name, value in pairs[:HEADERS_SHOWN]]
    return [(name[:ABOUT_CHARS], part(value).text) for name, value in shown]


def source(arrival: Arrival) -> str:
    """Write what arrived as text."""
    return arrival.content.decode(errors="backslashreplace")


def body(arrival: Arrival) -> Part:
    """Write the body of a request: JSON on several lines, anything else as it is."""
    content = arrival.content
    if len(content) > PAYLOAD_BYTES_MAX or depth(content) > NESTING_MAX:
        return part(source(arrival))  # none of ours; indented it might fill the memory
    try:
        indented = msgspec.json.format(content, indent=2).decode()
    except ValueError:
        return part(source(arrival))
    return Part(printable_lines(indented[:SHOWN_CHARS]), max(0, len(indented) - SHOWN_CHARS))


def depth(content: bytes) -> int:
    """Count the levels of JSON, brackets in its strings included."""
    level = deepest = 0
    for bracket in BRACKET.findall(content):
        level += 1 if bracket in b"[{" else -1
        deepest = max(deepest, level)
    return deepest


def part(text: str) -> Part:
    """Write a text on its lines, without characters that would move or hide what is beside it."""
    lines = text[:SHOWN_CHARS].replace("\r\n", "\n").expandtabs(4).split("\n")
    return Part("\n".join(map(printable, lines)), max(0, len(text) - SHOWN_CHARS))
