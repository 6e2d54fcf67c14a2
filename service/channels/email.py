"""Channel `email`, whose recipient is one mailbox and whose payload is the mail.

recipient  1 to 254 characters (and bytes, in either spelling*): one local@domain, no quotes,
           blanks, comments or brackets, no `=?`; the local part a dot-atom of RFC 5322 or 6531;
           the domain of letters, digits and hyphens*, by IDNA 2008*, not .invalid or .onion; the
           edge stores it in lower case, as xn--… only if it came so
payload    an object with no other members than these
subject    a string of up to 998 characters, may be empty; no control characters (U+0000 to
           U+001F, U+007F to U+009F, U+2028, U+2029) except tabs
text, html a string or null, one of them a string
reply_to   null, or as recipient
headers    null, or an object of up to 50 strings; values as subject; names of up to 76 characters,
           from HEADER_NAME, each once in any case

Marked *: what SQL cannot check. The workers check all of it again, for rows that SQL inserted.
"""

import re
from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from service.channels.declaration import Declaration, Payload
from service.channels.words import WORDS
from service.text.addresses import ADDRESS_MAX_CHARS, address, mailbox
from service.text.checks import escaped

HEADERS_MAX = 50
HEADER_NAME_MAX_CHARS = 76
HEADER_MAX_CHARS = 998  # a line of a message, RFC 5322 section 2.1.1

CONTROL_BUT_TAB = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")

HEADER_NAME = re.compile(
    r"(?:(?:X|List)-[A-Za-z0-9-]+|Auto-Submitted|Precedence|Importance|Priority|Sensitivity"
    r"|In-Reply-To|References|Keywords|Comments|Organization|Feedback-ID)",
    re.IGNORECASE | re.ASCII,
)


class EmailPayload(Payload, frozen=True, kw_only=True):
    """The payload of channel `email`."""

    subject: Annotated[str, Meta(extra_json_schema={"maxLength": HEADER_MAX_CHARS})]
    text: str | None = None
    html: str | None = None
    reply_to: Annotated[str | None, Meta(extra_json_schema={"maxLength": ADDRESS_MAX_CHARS})] = None
    headers: dict[str, str] | None = None

    def faults(self) -> Iterator[tuple[str, str]]:
        """Say what is wrong beyond the types: (JSON pointer within the payload, sentence)."""
        if self.text is None and self.html is None:
            yield "", "Give text, html or both."
        if sentence := line_fault(self.subject):
            yield "/subject", sentence
        if self.reply_to is not None and (sentence := mailbox_fault(self.reply_to)):
            yield "/reply_to", sentence
        yield from header_faults(self.headers or {})


def header_faults(headers: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Check names against the list of those a sender may set, and values for line breaks."""
    if len(headers) > HEADERS_MAX:
        yield "/headers", f"Give at most {HEADERS_MAX} headers."
        return
    seen = set()
    for name, value in headers.items():
        pointer = f"/headers/{escaped(name[:HEADER_MAX_CHARS])}"
        if len(name) > HEADER_NAME_MAX_CHARS or not HEADER_NAME.fullmatch(name):
            yield pointer, "Use X-… or List-…, Auto-Submitted, Precedence and their like only."
            continue
        if name.lower() in seen:
            yield pointer, "Give each header once, in capitals or not."
        elif sentence := line_fault(value):
            yield pointer, sentence
        seen.add(name.lower())


def line_fault(text: str) -> str | None:
    """Say what keeps `text` from being one header, or None. A tab is encoded, or a blank."""
    if len(text) > HEADER_MAX_CHARS:
        return f"Use at most {HEADER_MAX_CHARS} characters."
    if CONTROL_BUT_TAB.search(text):
        return "Leave out line breaks and control characters."
    return None


def mailbox_fault(text: str) -> str | None:
    """Say why `text` is no address, or None."""
    try:
        address(text)
    except ValueError as error:
        return str(error)
    return None


EMAIL = Declaration(
    words=WORDS["email"],
    recipient=mailbox,
    payload=EmailPayload,
    example={
        "recipient": "you@example.com",
        "payload": {"subject": "Hello", "text": "It works."},
    },
)
