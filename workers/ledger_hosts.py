"""The hosts of DATABASE_URL, looked up in other threads: psycopg waits as long as the resolver."""

import socket
import time
from collections.abc import Mapping

from service.names.lookups import Lookups, addresses
from service.names.origin import name_of

LOOK_UP_MAX_S = 2.0

Call = tuple[str, None, int, int]


def located(params: Mapping[str, object], lookups: Lookups) -> dict[str, str]:
    """Return the parameters of libpq that name the hosts by address, too. Raises OSError.

    Of several hosts, those that cannot be found are left out.
    """
    hosts = str(params.get("host") or "").split(",")
    ports = str(params.get("port") or "").split(",")
    if len(ports) == 1:
        ports *= len(hosts)
    if params.get("hostaddr") or len(ports) != len(hosts) or not any(map(is_name, hosts)):
        return {}
    places: list[tuple[str, str, str]] = []
    failed = OSError("no host")
    for host, port, result in zip(hosts, ports, looked_up(hosts, lookups), strict=True):
        if isinstance(result, OSError):
            failed = result
        else:
            places += [(host, address, port) for address in result]
    if not places:
        raise failed
    named = zip(("host", "hostaddr", "port"), zip(*places, strict=True), strict=True)
    return {name: ",".join(values) for name, values in named if any(values)}


def looked_up(hosts: list[str], lookups: Lookups) -> list[tuple[str, ...] | OSError]:
    """Look all names up at once, and wait for them together. An address or a socket gives ("",)."""
    calls = {host: (host, None, socket.AF_UNSPEC, socket.SOCK_STREAM) for host in hosts}
    for host in filter(is_name, hosts):
        lookups.start(calls[host], lambda _: None)
    ends = time.monotonic() + LOOK_UP_MAX_S
    return [
        answered(calls[host], lookups, max(0.05, ends - time.monotonic()))
        if is_name(host)
        else ("",)
        for host in hosts
    ]


def answered(call: Call, lookups: Lookups, timeout_s: float) -> tuple[str, ...] | OSError:
    """Return the addresses of a name, or why they are not known."""
    try:
        return addresses(lookups.wait(call, timeout_s))
    except OSError as error:
        return error
    except UnicodeError as error:
        return OSError(str(error))


def is_name(host: str) -> bool:
    """Return whether a host has to be looked up: it is no directory of sockets, nor an address."""
    return bool(host) and host[0] not in "/@" and name_of(host.lower()) is not None
