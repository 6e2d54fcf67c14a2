"""The origin of a URL: its scheme, host and port, in one spelling (RFC 6454).

Shares, breakers, paces and log masks are kept per origin: a receiver that is spelled in many ways
still counts as one. The request itself goes to the URL as it was written.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

DEFAULT_PORTS = {"http": "80", "https": "443"}
KNOWN_MAX = 4096

# A backslash ends the authority as well: some parsers read it as a slash.
AUTHORITY = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#\\]*)")
NAME = re.compile(r"[\w.-]{1,253}")
HOST_PORT = re.compile(rf"({NAME.pattern}|\[[0-9A-Fa-f:.]{{2,45}}\])(?::([0-9]{{0,16}}))?")
# A part of an IPv4 address, as https://url.spec.whatwg.org/#ipv4-number-parser has it. int() takes
# more: with a base also a second prefix, 0o17 as 017, and underscores.
NUMBER = re.compile(r"0x([0-9a-f]*)|0([0-7]*)|([1-9][0-9]*)")


@dataclass(frozen=True, slots=True)
class Server:
    """Where a URL leads.

    `name`: what must be looked up, as libcurl spells it: in lower case, with a trailing dot if
    the URL has one. None: the host is an address or localhost, and nothing must be looked up.
    """

    origin: str
    name: str | None
    port: int
    is_secure: bool


def origin(url: str) -> str | None:
    """Return `scheme://host` or `scheme://host:port`, in one spelling; None: `url` has none.

    The result is fit for a log: text that does not look like a host or a port is never part of it.

    Lower case, no user, no trailing dot, no default port, numbers without leading zeros, an IPv4
    address as four decimals however it was written, an IPv6 address as RFC 5952 has it.
    """
    authority = AUTHORITY.match(url)
    return spelled(authority[1], authority[2]) if authority else None


@lru_cache(KNOWN_MAX)
def server(url: str) -> Server | None:
    """Say where an http or https URL leads; None: it has no host."""
    authority = AUTHORITY.match(url)
    return located(authority[1], authority[2]) if authority else None


@lru_cache(KNOWN_MAX)
def spelled(scheme: str, authority: str) -> str | None:
    """Spell the origin of a scheme and an authority; None: there is no host."""
    try:
        scheme, host, port = parts(scheme, authority)
        host = ipv6(host[1:-1]) if host.startswith("[") else name_or_ipv4(host)
    except ValueError:
        return None
    if port and port != DEFAULT_PORTS.get(scheme):
        return f"{scheme}://{host}:{port}"
    return f"{scheme}://{host}"


@lru_cache(KNOWN_MAX)
def located(scheme: str, authority: str) -> Server | None:
    """Say where a scheme and an authority lead; None: there is no host."""
    own = spelled(scheme, authority)
    if own is None:
        return None
    scheme, host, port = parts(scheme, authority)
    return Server(
        own, name_of(host), int(port or DEFAULT_PORTS.get(scheme, "0")), scheme == "https"
    )


def parts(scheme: str, authority: str) -> tuple[str, str, str]:
    """Return scheme and host in lower case, and the port without leading zeros, "" if none.

    Raises ValueError if there is no host.
    """
    match = HOST_PORT.fullmatch(authority.rpartition("@")[2])
    if match is None:
        raise ValueError("no host")
    return scheme.lower(), match[1].lower(), (match[2] or "").lstrip("0")


def name_of(host: str) -> str | None:
    """Return a host that must be looked up, else None. Localhost is this machine (RFC 6761)."""
    plain = name_or_ipv4(host)
    if ":" in host or plain == "localhost" or plain.endswith(".localhost"):
        return None
    try:
        IPv4Address(plain)
    except ValueError:
        return host
    return None


def ipv6(text: str) -> str:
    """Spell an IPv6 address in brackets, but an IPv4-mapped one as IPv4. Raises ValueError."""
    address = IPv6Address(text)
    return str(address.ipv4_mapped or f"[{address.compressed}]")


def name_or_ipv4(text: str) -> str:
    """Spell a name without its trailing dot, and what inet_aton(3) reads as an IPv4 address."""
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
    """Read a part of an IPv4 address: decimal, 0… octal, 0x… hexadecimal. Raises ValueError."""
    match = NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(text)
    hexadecimal, octal, decimal = match.groups()
    if hexadecimal is not None:
        return int(hexadecimal or "0", 16)
    return int(octal or "0", 8) if decimal is None else int(decimal)
