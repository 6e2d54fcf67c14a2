"""Which names mean this machine alone, wherever they are looked up."""

from ipaddress import IPv4Address, IPv6Address, ip_address


def is_loopback(name: str) -> bool:
    """Tell whether a name or an address, in brackets or not, is this machine's own."""
    address = address_of(name)
    return name.lower() == "localhost" if address is None else address.is_loopback


def address_of(name: str) -> IPv4Address | IPv6Address | None:
    """Read an address; None: it is a name, which somebody could point anywhere.

    An IPv4 address that is written as an IPv6 one is itself: Pythons differ on whether
    ::ffff:127.0.0.1 is loopback.
    """
    try:
        address = ip_address(name.strip("[]"))
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
