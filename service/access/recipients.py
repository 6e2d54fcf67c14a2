"""Which recipients a key may send to: patterns, matched on what a recipient reaches.

| pattern                       | allows                                                         |
|-------------------------------|----------------------------------------------------------------|
| `*@example.org`               | mail to that domain, and to no subdomain                       |
| `*@*.example.org`             | mail to its subdomains                                         |
| `https://hooks.example.org/*` | webhooks to that origin; the port counts, a user does not      |
| `https://*.example.org/in/*`  | webhooks to subdomains, below /in/                             |
| any text                      | those recipients of the channel log                            |

`*` stands for any characters, but before a domain only in `*.`. Host and domain are compared as
names (in lower case, an address in one spelling), the rest letter by letter.
"""

import re
from functools import lru_cache

from service.names.origin import origin
from service.text.addresses import address

URL = re.compile(r"(https?)://(\*\.)?([^/?#*@\\]+)([/?#].*)?", re.IGNORECASE | re.DOTALL)
MAIL = re.compile(r"([^@]+)@(\*\.)?([^@*/\\]+)", re.DOTALL)
SLASH = r"(?:[/\\]|%2f|%5c)"
# Some servers take /..;x/ for /../ as well: they cut what stands behind the semicolon.
DOT_SEGMENT = re.compile(rf"{SLASH}(?:\.|%2e){{1,2}}(?={SLASH}|;|%3b|$)", re.IGNORECASE)
KNOWN_MAX = 4096


def is_allowed(patterns: tuple[str, ...] | None, channel: str, recipient: str) -> bool:
    """Return whether one of the patterns allows a recipient, as it is stored. None: all are."""
    if patterns is None:
        return True
    matches = {"webhook": url_matches, "email": mail_matches}.get(channel, glob)
    return any(matches(pattern, recipient) for pattern in patterns)


def fault(pattern: str) -> str | None:
    """Say why a text is no pattern; None: it is one."""
    if not 1 <= len(pattern) <= 500 or not pattern.isprintable():
        return "Use 1 to 500 printable characters."
    if "://" in pattern and origin_of(pattern) is None:
        return "Write https://host/path: * may stand in the path, and as *. before the host."
    mail = MAIL.fullmatch(pattern)
    if "://" not in pattern and "@" in pattern and not (mail and ascii_domain(mail[3])):
        return "Write name@domain: * may stand in the name, and as *. before the domain."
    return None


def url_matches(pattern: str, url: str) -> bool:
    """Match origin with origin, and the rest with the rest. A path with dots matches nothing."""
    wanted, place = origin_of(pattern), origin(url)
    path = path_of(url)
    if wanted is None or place is None or DOT_SEGMENT.search(re.split("[?#]", path)[0]):
        return False
    scheme, is_below, host, wanted_path = wanted
    found_scheme, _, found = place.partition("://")
    is_host = found.endswith(f".{host}") if is_below else found == host
    return scheme == found_scheme and is_host and glob(wanted_path, path)


@lru_cache(KNOWN_MAX)
def origin_of(pattern: str) -> tuple[str, bool, str, str] | None:
    """Take a pattern apart: scheme, whether its subdomains are meant, host[:port], path."""
    match = URL.fullmatch(pattern)
    place = match and origin(f"{match[1]}://{match[3]}")
    if match is None or place is None:
        return None
    scheme, _, host = place.partition("://")
    return scheme, bool(match[2]), host, rooted(match[4] or "")


def path_of(url: str) -> str:
    """Return what stands behind the authority."""
    rest = url.partition("://")[2]
    return rooted(rest[len(re.split(r"[/?#\\]", rest, maxsplit=1)[0]) :])


def rooted(path: str) -> str:
    """Write the path that is asked for when there is none."""
    return path if path.startswith("/") else f"/{path}"


def mail_matches(pattern: str, recipient: str) -> bool:
    """Match domain with domain, and name with name."""
    match = MAIL.fullmatch(pattern)
    if match is None or "://" in pattern:
        return False
    name, _, domain = recipient.rpartition("@")
    found, wanted = ascii_domain(domain), ascii_domain(match[3])
    is_domain = found.endswith(f".{wanted}") if match[2] else found == wanted
    return bool(wanted) and is_domain and glob(match[1], name)


@lru_cache(KNOWN_MAX)
def ascii_domain(domain: str) -> str:
    """Write a domain as mail servers do; "": it is none."""
    try:
        return address(f"name@{domain}").domain.lower()
    except ValueError:
        return ""


def glob(pattern: str, text: str) -> bool:
    """Match the whole text; * stands for any characters. It takes no longer than a search."""
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == text
    if not text.startswith(first):
        return False
    place = len(first)
    *between, last = rest
    for part in between:
        found = text.find(part, place)
        if found < 0:
            return False
        place = found + len(part)
    return len(text) - len(last) >= place and text.endswith(last)
