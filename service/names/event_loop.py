"""The event loop of our processes: uvloop's, but it looks names up in threads that nobody joins.

uvloop and asyncio have only a few threads for this: a name whose servers are silent would hold up
the other names, and the end of the process.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

import uvloop

from service.names.lookups import LATE_S, Call, Lookups, Result

ANSWER_MAX_S = 4.0


class EventLoop(uvloop.Loop):
    """Answers each look-up and each connect to a name in time, if need be with an OSError."""

    def __init__(self) -> None:
        super().__init__()
        self.lookups = Lookups()
        self.looking: dict[Call, asyncio.Future[Any]] = {}

    async def getaddrinfo(self, host: Any, port: Any, **hints: int) -> Any:
        if not is_name(host):
            return await super().getaddrinfo(host, port, **hints)
        names = ("family", "type", "proto", "flags")
        call = (host, port, *(hints.get(name, 0) for name in names))
        future = self.looking.get(call) or self.look_up(call)
        try:
            async with asyncio.timeout(ANSWER_MAX_S):
                return await asyncio.shield(future)
        except TimeoutError:
            raise socket.gaierror(socket.EAI_AGAIN, "the resolver does not answer") from None
        finally:
            if future.done():
                self.forget(call, future)

    def look_up(self, call: Call) -> "asyncio.Future[Any]":
        """Look a name up. A result that comes too late is kept for a while for the next call."""
        future = self.looking[call] = self.create_future()
        future.add_done_callback(lambda _: self.call_later(LATE_S, self.forget, call, future))

        def hand_over(result: Result) -> None:
            with suppress(RuntimeError):  # this loop has been closed
                self.call_soon_threadsafe(complete, future, result)

        if not self.lookups.start(call, hand_over):
            error = socket.gaierror(socket.EAI_AGAIN, "too many names are looked up")
            complete(future, error)
        return future

    def forget(self, call: Call, future: "asyncio.Future[Any]") -> None:
        """Forget a result: the next who asks for this name starts a new look-up."""
        future.exception()  # marks an error as seen that nobody has waited for
        if self.looking.get(call) is future:
            del self.looking[call]

    async def create_connection(  # type: ignore[override]
        self, factory: Callable[[], Any], host: Any = None, port: Any = None, **options: Any
    ) -> Any:
        if not is_name(host):
            return await super().create_connection(factory, host, port, **options)
        if options.get("ssl"):
            options.setdefault("server_hostname", host)
        last_error: Exception = OSError(f"{host} has no address")
        for *_, address in await self.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            try:
                return await super().create_connection(factory, address[0], port, **options)
            except OSError as error:
                last_error = error
        raise last_error


def complete(future: "asyncio.Future[Any]", result: Result) -> None:
    """Set a future's result or exception."""
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)


def is_name(host: Any) -> bool:
    """Return whether a host is a name, which has to be looked up."""
    if not isinstance(host, str) or not host:
        return False
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return True
    return False
