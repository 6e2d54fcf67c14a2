"""Check before anything starts whether our ports are free, and name who holds one that is not."""

import errno
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from service.errors import StartError

LISTENS = "0A"  # the state of a listening socket in /proc/net/tcp


def refuse_taken(host: str, port: int, setting: str) -> None:
    """Check that we could listen there. Raises StartError, which names who does if it can."""
    try:
        for family, address in addresses(host, port):
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
                probe.listen(1)
    except (OSError, UnicodeError) as error:
        raise StartError(
            f"{setting}={port}: cannot listen on {host}: {reason(error, port)}"
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


def reason(error: OSError | UnicodeError, port: int) -> str:
    """Say in words why we cannot listen."""
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        return f"{holder(port)} does: stop it, or choose another port"
    if number == errno.EACCES and port < 1024:
        return "a port below 1024 needs rights that this user has not: choose another"
    if number == errno.EADDRNOTAVAIL:
        return "it is no address of this machine"
    return str(getattr(error, "strerror", None) or error)


def holder(port: int) -> str:
    """Name the process that listens on a port, if we may look at it (only on Linux)."""
    sockets = {f"socket:[{inode}]" for inode in listening(port)}
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


def listening(port: int) -> Iterator[str]:
    """Yield the inodes of the sockets that listen on a port."""
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                words = line.split()
                if words[3] == LISTENS and words[1].endswith(f":{port:04X}"):
                    yield words[9]
