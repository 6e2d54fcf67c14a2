"""What may be sent where: checked at the edge, and again by the workers for rows inserted by SQL.

Every refusal is a ValueError, or a pair of a JSON pointer and a sentence, fit for the client.
"""

import re
from collections.abc import Iterator
from ipaddress import IPv6Address

import msgspec
from email_validator import SPECIAL_USE_DOMAIN_NAMES, validate_email

URL_MAX_CHARS = 2048
HEADERS_MAX = 50
HEADER_MAX_CHARS = 998  # a line of a message, RFC 5322 section 2.1.1

# Line separators that only Unicode knows count too: Python's email package folds at them.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")

# Backslashes are left out on purpose: URL parsers disagree on where they end the host.
HTTP_URL = re.compile(
    r"https?://"
    r"(?:[!$%&'()*+,;=:._~A-Za-z0-9-]*@)?"
    r"(?:(?P<name>[A-Za-z0-9._-]+)|\[(?P<ipv6>[0-9A-Fa-f:.]+)\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?:[/?#][!-\[\]-~]*)?",
    re.IGNORECASE | re.ASCII,  # else U+017F is an s, and U+212A a k
)

HEADER_NAME = re.compile(
    r"(?:(?:X|List)-[A-Za-z0-9-]+|Auto-Submitted|Precedence|Importance|Priority|Sensitivity"
    r"|In-Reply-To|References|Keywords|Comments|Organization|Feedback-ID)",
    re.IGNORECASE | re.ASCII,
)


# `ops@localhost` and `ops@mail.local` are real on a private network: whether they exist is for the
# SMTP server to say. Shortening its list is how the library wants to be told.
PRIVATE_DOMAINS = ("localhost", "local", "test")
SPECIAL_USE_DOMAIN_NAMES[:] = [d for d in SPECIAL_USE_DOMAIN_NAMES if d not in PRIVATE_DOMAINS]


def http_url(text: str) -> str:
    """Return `text` if it is one absolute http or https URL, written in ASCII."""
    if len(text) > URL_MAX_CHARS:
        raise ValueError(f"Give a URL of at most {URL_MAX_CHARS} characters.")
    found = HTTP_URL.fullmatch(text)
    if found is None:
        raise ValueError(
            "Give an absolute http:// or https:// URL without spaces; "
            "beyond ASCII, write the host as xn--… and the rest percent-encoded."
        )
    if (ipv6 := found["ipv6"]) is not None and not is_ipv6(ipv6):
        raise ValueError("Give a URL whose host in brackets is an IPv6 address.")
    if (port := found["port"]) is not None and not 1 <= int(port) <= 65535:
        raise ValueError("Give a URL whose port is from 1 to 65535.")
    return text


def mailbox(text: str) -> str:
    """Return the normalized form of one address such as `name@domain`. Nothing is looked up."""
    try:
        found = validate_email(text, check_deliverability=False, globally_deliverable=False)
    except ValueError as error:
        raise ValueError(f"Give one address as name@domain. {error}") from None
    return found.normalized


class EmailPayload(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The payload of channel `email`."""

    subject: str
    text: str | None = None
    html: str | None = None
    reply_to: str | None = None
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
    for name, value in headers.items():
        pointer = f"/headers/{escaped(name)}"
        if len(name) > 76 or not HEADER_NAME.fullmatch(name):
            yield pointer, "Use X-… or List-…, Auto-Submitted, Precedence and their like only."
        elif sentence := line_fault(value):
            yield pointer, sentence


def line_fault(text: str) -> str | None:
    """Say what keeps `text` from being one header line, or None."""
    if CONTROL.search(text):
        return "Leave out line breaks and control characters."
    if len(text) > HEADER_MAX_CHARS:
        return f"Use at most {HEADER_MAX_CHARS} characters."
    return None


def mailbox_fault(text: str) -> str | None:
    """Say why `text` is no address, or None."""
    try:
        mailbox(text)
    except ValueError as error:
        return str(error)
    return None


def is_ipv6(text: str) -> bool:
    """Tell whether `text` is an IPv6 address."""
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def escaped(name: str) -> str:
    """Escape a member's name for a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")
