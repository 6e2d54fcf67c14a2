"""One name for everything that lives behind one scheme, host and port: its origin (RFC 6454).

Shares, breakers, paces and log masks are kept per origin, so that one receiver cannot be many by
being spelled in many ways. The URL itself is sent as it was written.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

DEFAULT_PORTS = {"http": "80", "https": "443"}
KNOWN_MAX = 4096

# A backslash ends the authority, too: there are parsers that take it for a slash.
AUTHORITY = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#\\]*)")
NAME = re.compile(r"[\w.-]{1,253}")
HOST_PORT = re.compile(rf"({NAME.pattern}|\[[0-9A-Fa-f:.]{{2,45}}\])(?::([0-9]{{0,16}}))?")


def origin(url: str) -> str | None:
    """Return `scheme://host` or `scheme://host:port`, in one spelling; None: `url` has none.

    What it returns is fit for a log: what does not look like a host, or a port, may be anything.

    Lower case, no user, no trailing dot, no default port, numbers without leading zeros, an IPv4
    address as four decimals however it was written, an IPv6 address as RFC 5952 has it.
    """
    found = AUTHORITY.match(url)
    return spelled(found[1], found[2]) if found else None


@lru_cache(KNOWN_MAX)
def spelled(scheme: str, authority: str) -> str | None:
    """Spell an origin the one way."""
    found = HOST_PORT.fullmatch(authority.rpartition("@")[2])
    if found is None:
        return None
    scheme, host, port = scheme.lower(), found[1].lower(), (found[2] or "").lstrip("0")
    try:
        host = ipv6(host[1:-1]) if host.startswith("[") else name_or_ipv4(host)
    except ValueError:
        return None
    if port and port != DEFAULT_PORTS.get(scheme):
        return f"{scheme}://{host}:{port}"
    return f"{scheme}://{host}"


@dataclass(frozen=True, slots=True)
class Server:
    """Where a URL leads.

    `name`: what has to be looked up, as libcurl spells it: in lower case, with a trailing dot if
    there is one. None: nothing has to be, as it is an address or localhost.
    """

    origin: str
    name: str | None
    port: int
    is_secure: bool


@lru_cache(KNOWN_MAX)
def server(url: str) -> Server | None:
    """Say where an http or https URL leads; None: it names no host that there can be."""
    found = AUTHORITY.match(url)
    return located(found[1], found[2]) if found else None


@lru_cache(KNOWN_MAX)
def located(scheme: str, authority: str) -> Server | None:
    """Take an authority to pieces."""
    own = spelled(scheme, authority)
    found = HOST_PORT.fullmatch(authority.rpartition("@")[2])
    if own is None or found is None:
        return None
    scheme = scheme.lower()
    port = int((found[2] or "").lstrip("0") or DEFAULT_PORTS.get(scheme, "0"))
    return Server(own, name_of(found[1].lower()), port, scheme == "https")


def name_of(host: str) -> str | None:
    """Return a host if it has to be looked up. Localhost is this machine, says RFC 6761."""
    plain = name_or_ipv4(host)
    if ":" in host or plain == "localhost" or plain.endswith(".localhost"):
        return None
    try:
        IPv4Address(plain)
    except ValueError:
        return host
    return None


def ipv6(text: str) -> str:
    """Spell an IPv6 address, in brackets; an IPv4 one that it stands for without. ValueError."""
    address = IPv6Address(text)
    return str(address.ipv4_mapped or f"[{address.compressed}]")


def name_or_ipv4(text: str) -> str:
    """Spell a name without its trailing dot; what inet_aton(3) would read, as an IPv4 address."""
    text = text.removesuffix(".")
    try:
        *high, low = [number(part) for part in text.split(".", 4)]
    except ValueError:
        return text
    width = 8 * (4 - len(high))
    if len(high) > 3 or low >= 1 << width or any(part > 255 for part in high):
        return text
    return str(IPv4Address(int.from_bytes(high) << width | low))


def number(text: str) -> int:
    """Read a part of an IPv4 address: decimal, 0 octal, 0x hexadecimal. Raises ValueError."""
    if not text.isascii() or not text.isalnum():
        raise ValueError(text)
    if text.startswith("0x"):
        return int(text[2:] or "0", 16)
    return int(text, 8 if text.startswith("0") else 10)
