"""The event loop of our processes: uvloop's, but it looks names up in threads that nobody joins.

uvloop's own and asyncio's are few: a name whose servers are silent would hold up the other names,
and the end of the process.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

import uvloop

from service.names.lookups import LATE_S, Call, Found, Lookups

ANSWER_MAX_S = 4.0


class EventLoop(uvloop.Loop):
    """Whoever asks it for a name, or for a connection to one, gets an OSError in time."""

    def __init__(self) -> None:
        super().__init__()
        self.lookups = Lookups()
        self.looking: dict[Call, asyncio.Future[Any]] = {}

    async def getaddrinfo(self, host: Any, port: Any, **hints: int) -> Any:
        if not is_name(host):
            return await super().getaddrinfo(host, port, **hints)
        names = ("family", "type", "proto", "flags")
        call = (host, port, *(hints.get(name, 0) for name in names))
        found = self.looking.get(call) or self.look_up(call)
        try:
            async with asyncio.timeout(ANSWER_MAX_S):
                return await asyncio.shield(found)
        except TimeoutError:
            raise socket.gaierror(socket.EAI_AGAIN, "the resolver does not answer") from None
        finally:
            if found.done():
                self.forget(call, found)

    def look_up(self, call: Call) -> "asyncio.Future[Any]":
        """Look a name up. What comes too late is kept a while for who asks again."""
        found = self.looking[call] = self.create_future()
        found.add_done_callback(lambda _: self.call_later(LATE_S, self.forget, call, found))

        def tell(result: Found) -> None:
            with suppress(RuntimeError):  # this loop has been closed
                self.call_soon_threadsafe(settle, found, result)

        if not self.lookups.start(call, tell):
            error = socket.gaierror(socket.EAI_AGAIN, "too many names are looked up")
            settle(found, error)
        return found

    def forget(self, call: Call, found: "asyncio.Future[Any]") -> None:
        """Look a name up anew when somebody asks for it."""
        found.exception()  # nobody may have asked
        if self.looking.get(call) is found:
            del self.looking[call]

    async def create_connection(  # type: ignore[override]
        self, factory: Callable[[], Any], host: Any = None, port: Any = None, **given: Any
    ) -> Any:
        if not is_name(host):
            return await super().create_connection(factory, host, port, **given)
        if given.get("ssl"):
            given.setdefault("server_hostname", host)
        failed: Exception = OSError(f"{host} has no address")
        for *_, address in await self.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            try:
                return await super().create_connection(factory, address[0], port, **given)
            except OSError as error:
                failed = error
        raise failed


def settle(future: "asyncio.Future[Any]", result: Found) -> None:
    """Give a result to who waits for it."""
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)


def is_name(host: Any) -> bool:
    """Say whether a host has to be looked up."""
    if not isinstance(host, str) or not host:
        return False
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return True
    return False
