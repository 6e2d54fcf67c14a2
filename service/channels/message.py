"""One mail, from its parts to the bytes that are sent, and a last check of these. Pure."""

import re
from collections.abc import Iterable
from datetime import datetime

from service.channels.body import body
from service.channels.email import EmailPayload
from service.channels.header import LINE_MAX_CHARS, address_header, header, sender_header
from service.text.addresses import Address, Sender

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

FIRST = ("Date", "Message-ID", "From", "To", "Subject")
ONE_BODY = ("MIME-Version", "Content-Type", "Content-Transfer-Encoding")
NAME = re.compile(rb"\n([^ ][^:\r]*)")  # of a header: a folded line begins with a blank
ALTERNATIVES = ("MIME-Version", "Content-Type")


def message(
    *,
    id_: str,
    sender: Sender,
    to: Address,
    reply_to: Address | None,
    payload: EmailPayload,
    now: datetime,
) -> bytes:
    """Lay out one mail; `now` is UTC. Raises ValueError if the bytes would not be exactly one."""
    extra = payload.headers or {}
    one_body = payload.text is None or payload.html is None
    lines = [
        f"Date: {date(now)}\r\nMessage-ID: <{id_}@{sender.address.domain}>\r\n".encode("ascii"),
        sender_header("From", sender),
        address_header("To", to.written),
        header("Subject", payload.subject),
        address_header("Reply-To", reply_to.written) if reply_to else b"",
        *(header(name, value) for name, value in extra.items()),
        b"MIME-Version: 1.0\r\n",
        body(payload.text, payload.html, f"=_{id_}"),
    ]
    made = b"".join(lines)
    names = [*FIRST, *(["Reply-To"] if reply_to else []), *extra]
    check(made, [*names, *(ONE_BODY if one_body else ALTERNATIVES)])
    return made


def date(now: datetime) -> str:
    """Spell a time in UTC (RFC 5322 section 3.3), whatever the locale."""
    return (
        f"{DAYS[now.weekday()]}, {now.day} {MONTHS[now.month - 1]} {now.year} {now:%H:%M:%S} +0000"
    )


def check(made: bytes, names: Iterable[str]) -> None:
    """Check the bytes once more. Raises ValueError unless they are one mail with these headers.

    Lines end in CRLF, none begins with a dot or is beyond 998, no byte is NUL, and the headers are
    those of `names`: each once, in this order, none else.
    """
    if not made.count(b"\r\n") == made.count(b"\r") == made.count(b"\n"):
        raise ValueError("A line would end otherwise than in CRLF.")
    if b"\0" in made or b"\r\n." in made or not made.endswith(b"\r\n"):
        raise ValueError("A server could take a line for the end of the mail.")
    start, line_max = 0, LINE_MAX_CHARS + 2
    while len(made) - start > line_max:
        start = made.rfind(b"\n", start, start + line_max) + 1
        if not start:
            raise ValueError(f"A line would be longer than {LINE_MAX_CHARS} characters.")
    head = b"\n" + made.partition(b"\r\n\r\n")[0]
    written = [name.decode("ascii", "replace") for name in NAME.findall(head)]
    if written != list(names) or len({name.lower() for name in written}) != len(written):
        raise ValueError("The headers would not be the ones that were given.")
