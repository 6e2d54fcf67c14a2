"""Channel `webhook`, whose recipient is a URL and whose payload is any JSON value.

recipient  1 to 2048 characters of printable ASCII without `\\` or blanks:
           http(s)://[user[:password]@]host[:port][/…|?…|#…], one @ at most before the path,
           no %00 before that @;
           host of labels of 1 to 63 of [A-Za-z0-9_-], between dots and before one, or [IPv6]*;
           port 1 to 65535;
           an address that the guard permits*: service/names/guard.py

Marked *: what SQL cannot check. The workers check all of it again, for rows that SQL inserted.
"""

import re

from service.channels.declaration import Declaration
from service.channels.words import WORDS
from service.limits import RECIPIENT_MAX_CHARS
from service.text.checks import is_ipv6

ADDRESS_NOT_ALLOWED = "address_not_allowed"
# One sentence for every refusal of the guard, so that nobody learns what there is behind it.
ADVICE = "This service does not send to that address: see WEBHOOK_ALLOW of the one who runs it."

# Backslashes are left out on purpose: URL parsers disagree on where they end the host.
HTTP_URL = re.compile(
    r"https?://"
    r"(?:(?P<user>[!$%&'()*+,;=:._~A-Za-z0-9-]*)@)?"
    r"(?:(?P<name>[A-Za-z0-9._-]+)|\[(?P<ipv6>[0-9A-Fa-f:.]+)\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?:[/?#][!-\[\]-~]*)?",
    re.IGNORECASE | re.ASCII,  # else U+017F is an s, and U+212A a k
)
LABEL = r"[A-Za-z0-9_-]{1,63}"  # RFC 1035 section 2.3.4; no resolver looks up a longer one
LABELS = re.compile(rf"{LABEL}(?:\.{LABEL})*\.?")


def http_url(text: str) -> str:
    """Return `text` if it is one absolute http or https URL in ASCII.

    Raises ValueError, fit for the client. Length comes first: see service/text/checks.py.
    """
    if len(text) > RECIPIENT_MAX_CHARS:
        raise ValueError(f"Give a URL of at most {RECIPIENT_MAX_CHARS} characters.")
    match = HTTP_URL.fullmatch(text)
    if match is None:
        raise ValueError(
            "Give an absolute http:// or https:// URL without spaces; "
            "beyond ASCII, write the host as xn--… and the rest percent-encoded."
        )
    if (name := match["name"]) is not None and not LABELS.fullmatch(name):
        raise ValueError("Give a URL whose host has 1 to 63 characters between its dots.")
    if "%00" in (match["user"] or ""):  # libcurl decodes it, and refuses what it gets
        raise ValueError("Give a URL without %00 in its user and password.")
    if (ipv6 := match["ipv6"]) is not None and not is_ipv6(ipv6):
        raise ValueError("Give a URL whose host in brackets is an IPv6 address.")
    if (port := match["port"]) is not None and not 1 <= int(port) <= 65535:
        raise ValueError("Give a URL whose port is from 1 to 65535.")
    return text


def headers(
    id_: str, timestamp: object, signature: str | None, traceparent: str | None
) -> list[str]:
    """Write the headers of one attempt (Standard Webhooks); `timestamp`: seconds since 1970."""
    made = [
        "Content-Type: application/json",
        "User-Agent: notification-service",
        f"webhook-id: {id_}",
        f"webhook-timestamp: {timestamp}",
    ]
    if signature is not None:
        made.append(f"webhook-signature: {signature}")
    if traceparent is not None:
        made.append(f"traceparent: {traceparent}")
    return made


WEBHOOK = Declaration(
    words=WORDS["webhook"],
    recipient=http_url,
    example={"recipient": "https://example.com/hook", "payload": {"text": "hello"}},
)
