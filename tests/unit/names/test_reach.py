"""What addresses are: every row of the registries, the neighbours of each, and embedded IPv4."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.names.reach import TABLE, Kind, kind, own_kind, reached, read_address

# Each row of both registries, as IANA lists them.
REGISTRIES = {
    "0.0.0.0/8": Kind.FORBIDDEN, "0.0.0.0/32": Kind.FORBIDDEN, "10.0.0.0/8": Kind.PRIVATE,
    "100.64.0.0/10": Kind.PRIVATE, "127.0.0.0/8": Kind.FORBIDDEN, "169.254.0.0/16": Kind.FORBIDDEN,
    "172.16.0.0/12": Kind.PRIVATE, "192.0.0.0/24": Kind.FORBIDDEN, "192.0.0.0/29": Kind.FORBIDDEN,
    "192.0.0.8/32": Kind.FORBIDDEN, "192.0.0.9/32": Kind.FORBIDDEN, "192.0.0.10/32": Kind.FORBIDDEN,
    "192.0.0.170/32": Kind.FORBIDDEN, "192.0.0.171/32": Kind.FORBIDDEN,
    "192.0.2.0/24": Kind.FORBIDDEN, "192.31.196.0/24": Kind.PUBLIC, "192.52.193.0/24": Kind.PUBLIC,
    "192.88.99.0/24": Kind.FORBIDDEN, "192.88.99.2/32": Kind.FORBIDDEN,
    "192.168.0.0/16": Kind.PRIVATE, "192.175.48.0/24": Kind.PUBLIC, "198.18.0.0/15": Kind.FORBIDDEN,
    "198.51.100.0/24": Kind.FORBIDDEN, "203.0.113.0/24": Kind.FORBIDDEN,
    "240.0.0.0/4": Kind.FORBIDDEN, "255.255.255.255/32": Kind.FORBIDDEN,
    "::1/128": Kind.FORBIDDEN, "::/128": Kind.FORBIDDEN, "::ffff:0:0/96": Kind.PUBLIC,
    "64:ff9b::/96": Kind.PUBLIC, "64:ff9b:1::/48": Kind.PRIVATE, "100::/64": Kind.FORBIDDEN,
    "100:0:0:1::/64": Kind.FORBIDDEN, "2001::/23": Kind.FORBIDDEN, "2001::/32": Kind.PUBLIC,
    "2001:1::1/128": Kind.FORBIDDEN, "2001:1::2/128": Kind.FORBIDDEN,
    "2001:1::3/128": Kind.FORBIDDEN, "2001:2::/48": Kind.FORBIDDEN, "2001:3::/32": Kind.PUBLIC,
    "2001:4:112::/48": Kind.PUBLIC, "2001:10::/28": Kind.FORBIDDEN, "2001:20::/28": Kind.PUBLIC,
    "2001:30::/28": Kind.PUBLIC, "2001:db8::/32": Kind.FORBIDDEN, "2002::/16": Kind.PUBLIC,
    "2620:4f:8000::/48": Kind.PUBLIC, "3fff::/20": Kind.FORBIDDEN, "5f00::/16": Kind.FORBIDDEN,
    "fc00::/7": Kind.PRIVATE, "fe80::/10": Kind.FORBIDDEN,
}  # fmt: skip
NEIGHBOURS = {
    "1.0.0.0": Kind.PUBLIC, "9.255.255.255": Kind.PUBLIC, "11.0.0.0": Kind.PUBLIC,
    "100.63.255.255": Kind.PUBLIC, "100.128.0.0": Kind.PUBLIC, "126.255.255.255": Kind.PUBLIC,
    "128.0.0.0": Kind.PUBLIC, "169.253.255.255": Kind.PUBLIC, "169.255.0.0": Kind.PUBLIC,
    "172.15.255.255": Kind.PUBLIC, "172.32.0.0": Kind.PUBLIC, "191.255.255.255": Kind.PUBLIC,
    "192.0.1.0": Kind.PUBLIC, "192.0.3.0": Kind.PUBLIC, "192.88.98.255": Kind.PUBLIC,
    "192.88.100.0": Kind.PUBLIC, "192.167.255.255": Kind.PUBLIC, "192.169.0.0": Kind.PUBLIC,
    "198.17.255.255": Kind.PUBLIC, "198.20.0.0": Kind.PUBLIC, "198.51.99.255": Kind.PUBLIC,
    "198.51.101.0": Kind.PUBLIC, "203.0.112.255": Kind.PUBLIC, "203.0.114.0": Kind.PUBLIC,
    "223.255.255.255": Kind.PUBLIC, "224.0.0.0": Kind.FORBIDDEN, "239.255.255.255": Kind.FORBIDDEN,
    "1fff:ffff::": Kind.FORBIDDEN, "2000::": Kind.PUBLIC, "2001:200::": Kind.PUBLIC,
    "2001:1ff::": Kind.FORBIDDEN, "2001:db7::": Kind.PUBLIC, "2001:db9::": Kind.PUBLIC,
    "2003::": Kind.PUBLIC, "3ffe::": Kind.PUBLIC, "3fff:1000::": Kind.PUBLIC,
    "4000::": Kind.FORBIDDEN, "64:ff9b:2::": Kind.FORBIDDEN, "fbff::": Kind.FORBIDDEN,
    "fe00::": Kind.FORBIDDEN, "febf::": Kind.FORBIDDEN, "fec0::": Kind.PRIVATE,
    "feff::": Kind.PRIVATE, "ff00::": Kind.FORBIDDEN, "ff02::1": Kind.FORBIDDEN,
}  # fmt: skip
METADATA = (
    "169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192",
    "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:42::42", "fd00:a9fe:a9fe::1",
    "fe80::a9fe:a9fe",
)  # fmt: skip

NUMBERS = st.integers(0, 2**32 - 1) | st.sampled_from(
    [int(ip_network(row).network_address) for row in REGISTRIES if "." in row]
)
FORMS = {  # how an IPv6 address holds an IPv4 one; `other` is what else may stand in it
    "mapped": lambda v4, other: 0xFFFF << 32 | v4,
    "compatible": lambda v4, other: v4,
    "translated": lambda v4, other: 0xFFFF << 48 | v4,
    "NAT64": lambda v4, other: 0x64FF9B << 96 | v4,
    "local NAT64, /48": lambda v4, other: (
        0x64FF9B0001 << 80 | v4 >> 16 << 64 | (v4 & 0xFFFF) << 40 | other & 0xFFFFFFFF
    ),
    "local NAT64, /56": lambda v4, other: (
        0x64FF9B0001 << 80 | v4 >> 24 << 64 | (v4 & 0xFFFFFF) << 32 | other & 0xFFFF
    ),
    "local NAT64, /64": lambda v4, other: 0x64FF9B0001 << 80 | v4 << 24 | other & 0xFFFF,
    "local NAT64, /96": lambda v4, other: 0x64FF9B0001 << 80 | v4,
    "6to4": lambda v4, other: 0x2002 << 112 | v4 << 80 | other & 0xFFFF,
    "Teredo's server": lambda v4, other: 0x20010000 << 96 | v4 << 64 | other,
    "Teredo's client": lambda v4, other: 0x20010000 << 96 | other << 64 | v4 ^ 0xFFFFFFFF,
    "ISATAP": lambda v4, other: (0x2600 << 48 | other) << 64 | 0x5EFE << 32 | v4,
    "ISATAP, universal": lambda v4, other: (0x2600 << 48 | other) << 64 | 0x2005EFE << 32 | v4,
}


@pytest.mark.parametrize("row", REGISTRIES)
def test_the_table_has_each_row_of_the_registries(row):
    assert (ip_network(row), REGISTRIES[row]) in TABLE
    ends = {ip_network(row)[0], ip_network(row)[-1]}
    own = [a for a in ends if next(n for n, _ in TABLE if a in n) == ip_network(row)]
    assert all(own_kind(address) is REGISTRIES[row] for address in own)


@pytest.mark.parametrize("address", NEIGHBOURS)
def test_each_row_ends_where_it_should(address):
    assert own_kind(ip_address(address)) is NEIGHBOURS[address]


@pytest.mark.parametrize("address", METADATA)
def test_the_metadata_of_clouds_are_forbidden(address):
    assert kind(ip_address(address)) is Kind.FORBIDDEN


@pytest.mark.parametrize("form", FORMS)
@given(number=NUMBERS, other=st.integers(0, 2**32 - 1))
def test_an_address_is_never_judged_better_than_the_ipv4_it_holds(form, number, other):
    held = IPv4Address(number)
    address = IPv6Address(FORMS[form](number, other))
    # No translator passes on what is for 0.0.0.0/8: it is read as a prefix of another length.
    assert held in reached(address) or number < 1 << 24
    assert kind(address) >= (kind(held) if held in reached(address) else Kind.PRIVATE)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("::ffff:8.8.8.8", Kind.PUBLIC),
        ("64:ff9b::808:808", Kind.PUBLIC),
        ("2002:808:808::1", Kind.PUBLIC),
        ("2001:0:808:808::f7f7:f7f7", Kind.PUBLIC),
        ("2600::5efe:808:808", Kind.PUBLIC),
        ("64:ff9b:1::808:808", Kind.PRIVATE),
        ("64:ff9b:1:808:8:800::", Kind.PRIVATE),
        ("64:ff9b:1::a00:1", Kind.PRIVATE),
        ("64:ff9b:1::7f00:1", Kind.FORBIDDEN),
        ("64:ff9b:1:7f00:0:100:808:808", Kind.FORBIDDEN),
        ("::8.8.8.8", Kind.FORBIDDEN),
        ("fe80::5efe:808:808", Kind.FORBIDDEN),
        ("fd00::5efe:7f00:1", Kind.FORBIDDEN),
    ],
)
def test_the_worse_of_the_two_decides(address, expected):
    assert kind(ip_address(address)) is expected


def test_an_ipv4_mapped_address_is_its_ipv4_address_alone():
    assert reached(ip_address("::ffff:10.0.0.1")) == (IPv4Address("10.0.0.1"),)


@given(st.ip_addresses())
def test_every_address_is_judged(address):
    assert kind(address) in Kind


def test_a_zone_changes_nothing_and_what_is_no_address_is_none():
    assert read_address("fe80::1%eth0") == IPv6Address("fe80::1")
    assert [read_address(text) for text in ("", "a", "127.1", "[::1]", "%eth0")] == [None] * 5
