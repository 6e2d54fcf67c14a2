"""Check before anything starts whether our ports are free, and name who holds one that is not."""

import errno
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from service.errors import StartError

Address = IPv4Address | IPv6Address

LISTENS = "0A"  # the state of a listening socket in /proc/net/tcp


def refuse_taken(host: str, port: int, setting: str) -> None:
    """Check that we could listen there. Raises StartError, which names who does if it can."""
    at = host
    try:
        for family, address in addresses(host, port):
            at = str(address[0])
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
                probe.listen(1)
    except (OSError, UnicodeError) as error:
        raise StartError(
            f"{setting}={port}: cannot listen on {host}: {reason(error, at, port)}"
        ) from error


def refuse_twice(ports: Mapping[str, int]) -> None:
    """Check that no two settings have the same port. Raises StartError."""
    setting_of: dict[int, str] = {}
    for name, port in ports.items():
        if port and port in setting_of:
            raise StartError(f"{name}={port}: {setting_of[port]} has the same: choose another")
        setting_of[port] = name


def addresses(host: str, port: int) -> list[tuple[int, tuple[object, ...]]]:
    """Look up the addresses of a name, as asyncio does when it listens. Raises OSError."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, address) for family, _, _, _, address in answers))


def reason(error: OSError | UnicodeError, host: str, port: int) -> str:
    """Say in words why we cannot listen there."""
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        return f"{holder(host, port)} does: stop it, or choose another port"
    if number == errno.EACCES and port < 1024:
        return "a port below 1024 needs rights that this user has not: choose another"
    if number == errno.EADDRNOTAVAIL:
        return "it is no address of this machine"
    return str(getattr(error, "strerror", None) or error)


def holder(host: str, port: int) -> str:
    """Name the process that keeps us from listening there, if we may look at it (Linux only)."""
    sockets = {
        f"socket:[{inode}]"
        for _, address in addresses(host, port)
        for inode in listening(ip_address(str(address[0]).partition("%")[0]), port)
    }
    for process in Path("/proc").glob("[0-9]*") if sockets else ():
        with suppress(OSError):  # it has ended, or is of another user
            if any(target in sockets for target in open_files(process)):
                # Without its arguments: they may hold a password.
                return f"process {process.name} ({(process / 'comm').read_text().strip()})"
    return "another process"


def open_files(process: Path) -> Iterator[str]:
    """Yield what the descriptors of a process point to. Raises OSError."""
    for descriptor in (process / "fd").iterdir():
        with suppress(FileNotFoundError):  # closed by now
            yield str(descriptor.readlink())


def listening(ours: Address, port: int) -> list[str]:
    """Return the inodes of the sockets that listen on a port where we would.

    The port of another address is another's. `::` may have it of IPv4, too: it is asked last.
    """
    found: dict[str, list[str]] = {"tcp": [], "tcp6": []}
    for table, inodes in found.items():
        with suppress(OSError):
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                words = line.split()
                address, _, hex_port = words[1].partition(":")
                if words[3] == LISTENS and int(hex_port, 16) == port and meet(ours, read(address)):
                    inodes.append(words[9])
    return found["tcp" if ours.version == 4 else "tcp6"] or found["tcp6"]


def read(words: str) -> Address:
    """Read an address of /proc/net: words of 32 bits, each in the machine's order of bytes."""
    numbers = (int(words[at : at + 8], 16) for at in range(0, len(words), 8))
    return ip_address(b"".join(number.to_bytes(4, sys.byteorder) for number in numbers))


def meet(ours: Address, theirs: Address) -> bool:
    """Return whether two that listen on the same port are in each other's way."""
    if isinstance(theirs, IPv6Address) and ours.version == 4:
        return theirs.is_unspecified or theirs.ipv4_mapped in {ours, IPv4Address(0)}
    return ours.version == theirs.version and (
        ours == theirs or ours.is_unspecified or theirs.is_unspecified
    )
