"""The address guard: where webhooks may go. Pure.

It judges twice, by the same rules: a URL before it is accepted and again before it is sent, by what
the URL itself says; and the very address that is about to be connected, whatever a name resolves to
at that moment. ops/adr/0022-address-guard.md.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network

from service.names.origin import AUTHORITY, DEFAULT_PORTS, name_or_ipv4, parts
from service.names.reach import (
    KNOWN_MAX,
    MAPPED,
    Address,
    Kind,
    Network,
    own_kind,
    reached,
    read_address,
)

WORD = re.compile(r"\.?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?")
PLACES_MAX = 1000
THIS_MACHINE = IPv4Address("127.0.0.1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Hosts by name (without a trailing dot), names below a suffix (`.example.org`), networks."""

    names: frozenset[str] = frozenset()
    suffixes: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()

    def __or__(self, other: "Places") -> "Places":
        return Places(
            names=self.names | other.names,
            suffixes=self.suffixes + other.suffixes,
            networks=self.networks + other.networks,
        )

    def names_host(self, host: str) -> bool:
        """Return whether a host, in lower case and without a trailing dot, is named."""
        return host in self.names or host.endswith(self.suffixes)

    def hold(self, address: Address) -> bool:
        """Return whether an address is in one of the networks."""
        return any(address in network for network in self.networks)


LOOPBACK = Places(networks=(IPv4Network("127.0.0.0/8"), IPv6Network("::1/128")))


def places(text: str) -> Places:
    """Read names, suffixes, addresses and CIDRs, separated by spaces or commas.

    Raises ValueError, fit for the line that refuses a setting.
    """
    words = text.lower().replace(",", " ").split()
    names, suffixes, networks = [], [], []
    for word in words:
        network = network_of(word)
        if network is not None:
            networks.append(network)
        elif not WORD.fullmatch(word):
            raise ValueError(
                "names, suffixes such as .example.org, addresses or CIDRs such as 10.1.0.0/16, "
                "separated by spaces"
            )
        elif word.startswith("."):
            suffixes.append(word.removesuffix("."))
        else:
            names.append(word.removesuffix("."))
    if len(words) > PLACES_MAX:
        raise ValueError(f"at most {PLACES_MAX} names and networks")
    return Places(names=frozenset(names), suffixes=tuple(suffixes), networks=tuple(networks))


def network_of(word: str) -> Network | None:
    """Read a CIDR or an address in any spelling; None: it is none.

    Raises ValueError for a CIDR with bits beyond its length, which may mean another one.
    """
    if "/" in word:
        try:
            network = ip_network(word)
        except ValueError:
            raise ValueError("CIDRs as 10.1.0.0/16, with no bits set beyond their length") from None
    elif address := literal(word):
        network = ip_network(address)
    else:
        return None
    if isinstance(network, IPv6Network) and network.subnet_of(MAPPED):
        first = int(network.network_address) & 0xFFFFFFFF
        return ip_network((first, network.prefixlen - 96))
    return network


def literal(host: str) -> Address | None:
    """Read a host that is an address, in any spelling that libcurl takes; None: it is a name."""
    if ":" in host:
        return read_address(host[1:-1] if host[0] + host[-1] == "[]" else host)
    return read_address(name_or_ipv4(host))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a URL leads. `host`: in lower case, without a trailing dot.

    `address`: what the host is by itself; None: it is a name, which is looked up.
    """

    host: str
    port: int
    address: Address | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What webhooks may reach. `ports` empty: any."""

    private: bool = False
    allow: Places = Places()
    deny: Places = Places()
    ports: tuple[int, ...] = ()

    def refuses(self, url: str) -> bool:
        """Return whether a URL says by itself that it leads where nothing may be sent.

        A name that is looked up is judged when it is connected, and here only if it is denied.
        """
        place = place_of(url)
        if place is None:
            return True
        if place.address is None:
            return not self._takes(place.port) or self.deny.names_host(place.host)
        return not self._permits(place.host, place.address, place.port)

    def permits(self, url: str, address: str, port: int) -> bool:
        """Return whether an address may be connected for a URL."""
        place, connected = place_of(url), read_address(address)
        if place is None or connected is None:
            return False
        return self._permits(place.host, connected, port)

    def _permits(self, host: str, address: Address, port: int) -> bool:
        """Judge an address and the host whose it is: DENY wins, then ALLOW, then what it is."""
        ends = reached(address)
        if not self._takes(port) or self.deny.names_host(host) or any(map(self.deny.hold, ends)):
            return False
        return self.allow.names_host(host) or all(map(self._is_open, ends))

    def _takes(self, port: int) -> bool:
        """Return whether this port may be connected."""
        return not self.ports or port in self.ports

    def _is_open(self, address: Address) -> bool:
        """Judge one of the addresses that are reached, by itself."""
        limit = Kind.PRIVATE if self.private else Kind.PUBLIC
        return own_kind(address) <= limit or self.allow.hold(address)


@lru_cache
def guard(private: bool, allow: Places, deny: Places, ports: tuple[int, ...]) -> Guard:
    """Return the guard of some settings, the same one each time."""
    return Guard(private=private, allow=allow, deny=deny, ports=ports)


def place_of(url: str) -> Place | None:
    """Say where an http or https URL leads; None: it has no host that we can read."""
    authority = AUTHORITY.match(url)
    return located(authority[1], authority[2]) if authority else None


@lru_cache(KNOWN_MAX)
def located(scheme: str, authority: str) -> Place | None:
    """Say where a scheme and an authority lead."""
    try:
        scheme, host, port = parts(scheme, authority)
    except ValueError:
        return None
    port = port or DEFAULT_PORTS.get(scheme, "")
    host = host.removesuffix(".")
    is_here = host == "localhost" or host.endswith(".localhost")  # RFC 6761: libcurl asks nobody
    return Place(host, int(port), THIS_MACHINE if is_here else literal(host)) if port else None
