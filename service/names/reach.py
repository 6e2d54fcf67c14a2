"""Which addresses are forbidden, private or public, by what a packet to them reaches in the end.

The table follows IANA's IPv4 and IPv6 Special-Purpose Address Registries as of September 2026 (26
and 25 rows), and its IPv4 and IPv6 address space registries for multicast, for what is reserved and
for fec0::/10. What the registry calls globally reachable is public, but for anycast addresses that
a host's own network answers (PCP, TURN, SRP). The metadata services of clouds that stand in no
reserved network follow at the end.

`is_global` and `is_private` of ipaddress are not used: they differ between patch releases, and take
64:ff9b::7f00:1 for global, which a translator turns into 127.0.0.1.
"""

from collections.abc import Iterator
from enum import IntEnum
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

KNOWN_MAX = 4096


class Kind(IntEnum):
    """What an address is; the worse is the greater."""

    PUBLIC = 0
    PRIVATE = 1
    FORBIDDEN = 2


PUBLIC = """
    0.0.0.0/0            all that is in no row below
    192.31.196.0/24      AS112-v4
    192.52.193.0/24      AMT
    192.175.48.0/24      Direct Delegation AS112 Service

    2000::/3             Global Unicast: of the rest nothing is assigned to hosts
    64:ff9b::/96         IPv4-IPv6 Translat.; judged by its IPv4 address, as are the next three
    ::ffff:0:0/96        IPv4-mapped Address
    2001::/32            TEREDO
    2002::/16            6to4
    2001:3::/32          AMT
    2001:4:112::/48      AS112-v6
    2001:20::/28         ORCHIDv2
    2001:30::/28         Drone Remote ID Protocol Entity Tags
    2620:4f:8000::/48    Direct Delegation AS112 Service
"""
PRIVATE = """
    10.0.0.0/8           Private-Use
    172.16.0.0/12        Private-Use
    192.168.0.0/16       Private-Use
    100.64.0.0/10        Shared Address Space (carrier-grade NAT)

    fc00::/7             Unique-Local
    fec0::/10            site-local, deprecated
    64:ff9b:1::/48       IPv4-IPv6 Translat., local use; judged by its IPv4 address as well
"""
FORBIDDEN = """
    0.0.0.0/8            "This network"
    0.0.0.0/32           "This host on this network"
    127.0.0.0/8          Loopback
    169.254.0.0/16       Link Local, and the metadata of most clouds
    192.0.0.0/24         IETF Protocol Assignments
    192.0.0.0/29         IPv4 Service Continuity Prefix
    192.0.0.8/32         IPv4 dummy address
    192.0.0.9/32         Port Control Protocol Anycast
    192.0.0.10/32        Traversal Using Relays around NAT Anycast
    192.0.0.170/32       NAT64/DNS64 Discovery
    192.0.0.171/32       NAT64/DNS64 Discovery
    192.0.2.0/24         Documentation (TEST-NET-1)
    192.88.99.0/24       Deprecated (6to4 Relay Anycast)
    192.88.99.2/32       6a44-relay anycast address
    198.18.0.0/15        Benchmarking
    198.51.100.0/24      Documentation (TEST-NET-2)
    203.0.113.0/24       Documentation (TEST-NET-3)
    224.0.0.0/4          Multicast
    240.0.0.0/4          Reserved
    255.255.255.255/32   Limited Broadcast

    ::/0                 all that is outside 2000::/3 and in no row
    ::/128               Unspecified Address
    ::1/128              Loopback Address
    100::/64             Discard-Only Address Block
    100:0:0:1::/64       Dummy IPv6 Prefix
    2001::/23            IETF Protocol Assignments
    2001:1::1/128        Port Control Protocol Anycast
    2001:1::2/128        Traversal Using Relays around NAT Anycast
    2001:1::3/128        DNS-SD Service Registration Protocol Anycast
    2001:2::/48          Benchmarking
    2001:10::/28         Deprecated (previously ORCHID)
    2001:db8::/32        Documentation
    3fff::/20            Documentation
    5f00::/16            Segment Routing (SRv6) SIDs
    fe80::/10            Link-Local Unicast
    ff00::/8             Multicast

    100.100.100.200/32   metadata of Alibaba Cloud
    168.63.129.16/32     Azure's host node
    fd00:ec2::/32        metadata of AWS, and its DNS, time and EKS
    fd20:ce::254/128     metadata of Google Cloud
    fd00:42::42/128      metadata of Scaleway
    fd00:a9fe:a9fe::/48  metadata of Akamai (Linode)
"""


def rows(text: str, kind: Kind) -> Iterator[tuple[Network, Kind]]:
    """Read the networks of a table."""
    for line in text.strip().splitlines():
        if line:
            yield ip_network(line.split()[0]), kind


# The most specific network comes first: the first that holds an address decides.
TABLE = sorted(
    [*rows(PUBLIC, Kind.PUBLIC), *rows(PRIVATE, Kind.PRIVATE), *rows(FORBIDDEN, Kind.FORBIDDEN)],
    key=lambda row: -row[0].prefixlen,
)

MAPPED = IPv6Network("::ffff:0:0/96")
# Deprecated: the IPv4-compatible ::a.b.c.d, the translated ::ffff:0:a.b.c.d of SIIT; and NAT64.
LAST_32_BITS = [IPv6Network(text) for text in ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96")]
LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
SIX_TO_FOUR = IPv6Network("2002::/16")
TEREDO = IPv6Network("2001::/32")
THIS_NETWORK = IPv4Network("0.0.0.0/8")

ISATAP = 0x00005EFE  # the interface identifier's first half, but for its bits u and g
NOT_U_OR_G = 0xFCFFFFFF


def kind(address: Address) -> Kind:
    """Judge an address: by the worst of what it reaches."""
    return max(map(own_kind, reached(address)))


@lru_cache(KNOWN_MAX)
def own_kind(address: Address) -> Kind:
    """Judge an address by the table alone."""
    return next(kind for network, kind in TABLE if address in network)


@lru_cache(KNOWN_MAX)
def reached(address: Address) -> tuple[Address, ...]:
    """Return the address itself, and the IPv4 addresses that it stands for or leads through.

    An IPv4-mapped address is its IPv4 address: the system connects to that.
    """
    if isinstance(address, IPv4Address):
        return (address,)
    if address in MAPPED:
        return (IPv4Address(int(address) & 0xFFFFFFFF),)
    return (address, *dict.fromkeys(map(IPv4Address, embedded(address))))


def embedded(address: IPv6Address) -> Iterator[int]:
    """Give the IPv4 addresses, as numbers, that an IPv6 address may hold."""
    bits = int(address)
    if bits > 1 and any(address in network for network in LAST_32_BITS):  # not :: and ::1
        yield bits & 0xFFFFFFFF
    if address in LOCAL_NAT64:
        yield from translated(bits)
    if address in SIX_TO_FOUR:
        yield bits >> 80 & 0xFFFFFFFF
    if address in TEREDO:
        yield bits >> 64 & 0xFFFFFFFF  # the server
        yield ~bits & 0xFFFFFFFF  # the client
    if bits >> 32 & NOT_U_OR_G == ISATAP:
        yield bits & 0xFFFFFFFF


def translated(bits: int) -> Iterator[int]:
    """Give what a translator may read, as the length of its prefix is not known: each of RFC 6052.

    Where a length yields an address of 0.0.0.0/8, which no translator passes on, it is not the one.
    """
    lengths = (
        (bits >> 64 & 0xFFFF) << 16 | bits >> 40 & 0xFFFF,  # 48: the bits 64 to 71 are left out
        (bits >> 64 & 0xFF) << 24 | bits >> 32 & 0xFFFFFF,  # 56
        bits >> 24 & 0xFFFFFFFF,  # 64
        bits & 0xFFFFFFFF,  # 96
    )
    yield from (number for number in lengths if IPv4Address(number) not in THIS_NETWORK)


def read_address(text: str) -> Address | None:
    """Read an address, without its zone; None: it is none."""
    try:
        return ip_address(text.partition("%")[0])
    except ValueError:
        return None
