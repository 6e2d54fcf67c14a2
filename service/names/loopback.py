"""Which names and addresses mean only this machine, on every machine."""

from ipaddress import IPv4Address, IPv6Address, ip_address


def is_loopback(name: str) -> bool:
    """Return whether a name or an address, in brackets or not, is this machine's own."""
    address = address_of(name)
    return name.lower() == "localhost" if address is None else address.is_loopback


def address_of(name: str) -> IPv4Address | IPv6Address | None:
    """Read an address; None: it is a name, which its owner may point to any machine.

    An IPv4 address in the form of an IPv6 one is read as IPv4, because versions of Python differ on
    whether ::ffff:127.0.0.1 is loopback.
    """
    try:
        address = ip_address(name.strip("[]"))
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
