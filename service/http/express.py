"""Requests that two calls answer, without the task, the request and the response of aiohttp.

Those cost more than half of a POST /notify. Here an express handler gets a head and a whole body,
and calls back with all bytes of the answer. Whatever it does not want takes the usual road through
aiohttp, and so does every request that came in parts, closes its connection or waits for another.
"""

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import aiohttp
from aiohttp import HttpVersion11, StreamReader, web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import SERVER_SOFTWARE, RawRequestMessage

Respond = Callable[[bytes], None]
# Returns whether it answers: then it calls back once, and not before it has returned.
Express = Callable[[RawRequestMessage, bytes, Respond], bool]

TRIED = "3.14."  # of aiohttp: the road uses names that it keeps private
STATUS_LINES = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n" for s in HTTPStatus}


class ExpressConnection(web.RequestHandler):
    """A connection of aiohttp that shows each request to an express handler first.

    While one is being answered, aiohttp's loop is kept from what comes after it: `_waiter`, by
    which it is woken, is held in `held`.
    """

    __slots__ = ("express", "held")

    def __init__(self, server: web.Server, *, express: Express | None, **settings: Any) -> None:
        super().__init__(server, **settings)
        self.express = express
        self.held: asyncio.Future[None] | None = None

    def data_received(self, data: bytes) -> None:
        """Read on; if a request comes and none is before it, it may be an express one."""
        if self.express is None or self._waiter is None or self._waiter.done():
            super().data_received(data)
            return
        self.held, self._waiter = self._waiter, None
        super().data_received(data)
        if not (self._messages and self._takes_express(*self._messages[0])):
            self._go_on()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Let aiohttp's loop end."""
        if self.held is not None:
            self.held, self._waiter = None, self.held
        super().connection_lost(exc)

    def begin(self, body: StreamReader) -> None:
        """Note that a request begins. Before Python 3.12 aiohttp does so a moment later."""
        self._request_in_progress = True

    def _takes_express(self, head: Any, body: StreamReader) -> bool:
        """Begin the first request that waits, if the handler wants it."""
        if self._buffer_paused or self._reading_paused or self._paused or not is_plain(head, body):
            return False
        assert self.express is not None
        if not self.express(head, b"".join(body._buffer), self._respond):
            return False
        self._messages.popleft()
        if self._parser is not None:
            self._parser.message_consumed()
        if self._manager is not None:
            self._manager.requests_count += 1
        self.begin(body)
        return True

    def _respond(self, answer: bytes) -> None:
        """Write an answer, and go on with what has come since, as aiohttp's own loop does."""
        self._request_in_progress = False
        if self.transport is not None:
            if not self.transport.is_closing():
                self.transport.write(answer)
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
            if self._keepalive_handle is None:
                self._keepalive_handle = self._loop.call_at(
                    self._next_keepalive_close_time, self._process_keepalive
                )
        if self._handler_waiter is not None and not self._handler_waiter.done():
            self._handler_waiter.set_result(None)  # a shutdown waits for it
        self._go_on()

    def _go_on(self) -> None:
        """Let aiohttp's loop wait for the next request again, or end."""
        waiter, self.held = self.held, None
        if waiter is None or waiter.done():
            return
        self._waiter = waiter
        if self._close or self._force_close:
            waiter.cancel()
            if self.transport is not None:
                self.transport.close()
        elif self._messages:
            waiter.set_result(None)


def is_tried(version: str = aiohttp.__version__) -> bool:
    """Return whether this aiohttp is one that the road was tried with."""
    return version.startswith(TRIED)


def is_plain(head: Any, body: StreamReader) -> bool:
    """Return whether a request is all there, and needs nothing that aiohttp does around handlers.

    `head`: what stands for one that is no HTTP is of another type.
    """
    return (
        type(head) is RawRequestMessage
        and type(body) is StreamReader  # else it is the empty one
        and body.is_eof()
        and body.exception() is None
        and head.version == HttpVersion11
        and not (head.should_close or head.upgrade)
        and "Expect" not in head.headers
    )


def written(status: int, headers: Mapping[str, str], body: bytes) -> bytes:
    """Write an answer as aiohttp would. Nothing that a client sent may be in `headers`."""
    fields = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    head = (
        f"{STATUS_LINES[status]}{fields}Content-Length: {len(body)}\r\n"
        f"Date: {rfc822_formatted_time()}\r\nServer: {SERVER_SOFTWARE}\r\n\r\n"
    )
    return head.encode() + body
