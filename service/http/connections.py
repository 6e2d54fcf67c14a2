"""An HTTP server whose connections are bounded: in number, in time and in bytes.

aiohttp only closes connections that idle. A head, a body or the reading of an answer may take for
ever, and when the descriptors are used up nobody gets in. Here a look at all connections each
second closes those that have stood still too long, and when the server is full, a newcomer takes
the place of a connection whose client keeps us waiting.
"""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

from aiohttp import StreamReader, web
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import ERROR
from loguru import logger
from prometheus_client import Counter, Gauge

from service.http.express import Express, ExpressConnection
from service.http.problems import Problem, answer, body_of, of_status

LOOK_S = 1.0
RANK_S = 0.1  # at least this long between two rankings for newcomers that find no room
# On a request that only stands for one that could not be made.
UNREADABLE = web.RequestKey("unreadable", bool)
FULL_DOCUMENT = body_of(Problem("overloaded", "All connections are taken."))
FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
    b"Content-Type: application/problem+json\r\nCache-Control: no-store\r\n"
    b"X-Content-Type-Options: nosniff\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(FULL_DOCUMENT), FULL_DOCUMENT)
)

Handler = Callable[[Any], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one connection may take, and how many there may be."""

    connections_max: int
    head_s: float = 10.0  # from the first byte, or from the accept, to the end of the headers
    head_bytes_max: int = 16 * 1024  # of a head that is not complete yet
    body_s: float = 30.0
    answer_s: float = 30.0  # for which a client may leave our answer unread
    idle_s: float = 75.0  # between two requests

    def seconds(self, stage: str) -> float:
        """Return how long a connection may stay in a stage; a handler has limits of its own."""
        return {
            "head": self.head_s,
            "body": self.body_s,
            "answer": self.answer_s,
            "idle": self.idle_s,
            "closing": self.answer_s,
            "half": self.answer_s,  # most such clients are gone, and hear no answer
        }.get(stage, float("inf"))


class Connection(ExpressConnection):
    """A connection of aiohttp that knows which stage it is in."""

    __slots__ = (
        "body", "head_bytes", "is_half", "on_lost", "place", "served", "since", "taken", "wire",
    )  # fmt: skip

    def __init__(self, server: "BoundedServer", **settings: Any) -> None:
        super().__init__(server, **settings)
        self.head_bytes = 0  # of a head that is not complete yet
        self.served = 0  # requests that had a whole head and went to the handler
        self.body: StreamReader = EMPTY_PAYLOAD  # of the last of these requests
        self.taken = 0  # how often its client has read on, after it had kept us waiting
        self.place = ("head", 0, 0)  # the stage at the last look, which request, and `taken`
        self.since = self._loop.time()
        self.wire: asyncio.Transport | None = None
        self.on_lost: Callable[[], object] | None = None  # for a handler that waits long
        self.is_half = False  # its client sends no more, and is still to be answered

    @property
    def stage(self) -> str:
        """Say what the connection is waiting for."""
        if self.wire is None or self.wire.is_closing():
            return "closing"
        if self.is_half:
            return "half"
        if self.is_between:
            return "head" if self.head_bytes or not self.served else "idle"
        if self.writing_paused:
            return "answer"
        return "work" if self.body.is_eof() else "body"

    @property
    def waits(self) -> bool:
        """Return whether we wait for the client, rather than the client for us."""
        return self.stage not in ("work", "closing")

    @property
    def is_between(self) -> bool:
        """Return whether what comes next is the head of a request."""
        return (
            self._request_count == self.served
            and not self._request_in_progress
            and self.body.is_eof()
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the connection in, or answer that there is no room."""
        self.wire = wire = cast("asyncio.Transport", transport)  # uvloop's does not inherit from it
        if self._bounded.admit(self):
            super().connection_made(transport)
            return
        self.force_close()  # sets a flag only, so that nothing it sends is parsed
        wire.write(FULL)
        wire.close()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Free its place, and tell a handler that waits."""
        if self._manager is not None:
            self._bounded.forget(self)
        if self.on_lost is not None:
            self.on_lost()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; close the connection when its head is too large."""
        requests, was_whole = self._request_count, self.body.is_eof()
        super().data_received(data)
        if self._request_count != requests:  # the usual case: a whole head came
            return
        if was_whole and self.is_between and self._manager is not None:
            self.head_bytes += len(data)
            if self.head_bytes > self._bounded.limits.head_bytes_max:
                self.cut()

    def eof_received(self) -> bool:  # type: ignore[override]  # aiohttp never keeps one open
        """Answer what has come whole before we close. Most such clients have gone altogether.

        So a handler that waits long is told.
        """
        last = self._messages[-1][1] if self._messages else self.body
        can_be_half = self.wire is not None and self.wire.can_write_eof()  # not over TLS
        self.is_half = can_be_half and last.is_eof() and not self.is_between
        if self.is_half and self.on_lost is not None:
            self.on_lost()
        self._close_after_last()
        return self.is_half

    def resume_writing(self) -> None:
        """Note that the client reads on: a long answer may take longer than its silence."""
        self.taken += 1
        super().resume_writing()

    def begin(self, body: StreamReader) -> None:
        """Note that a request begins. It is counted here, as a wrapped handler would be dearer."""
        super().begin(body)
        self.head_bytes = 0
        self.body = body
        self.served += 1
        if self.served == 1:
            self._bounded.heard(self)
        self._close_after_last()

    def _close_after_last(self) -> None:
        if self.is_half and not self._messages:
            self.close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what aiohttp itself refuses or fails at with a problem, not with its page."""
        super().handle_error(request, status, exc, message)  # logs, or raises if it is too late
        response = answer(of_status(status))
        response.force_close()
        return response

    def cut(self) -> None:
        """Close at once, and drop what waits to be written."""
        self.force_close()
        if self.wire is not None:
            self.wire.abort()

    @property
    def _bounded(self) -> "BoundedServer":
        assert isinstance(self._manager, BoundedServer)
        return self._manager


class BoundedServer(web.Server):
    """Holds the open connections, and looks at all of them each second."""

    def __init__(
        self,
        handler: Handler,
        *,
        limits: Limits,
        open_gauge: Gauge | None,
        refused_counter: Counter | None,
        express: Express | None,
        request_factory: Any,
        **settings: Any,
    ) -> None:
        super().__init__(handler, request_factory=self._begin_request)
        self.limits = limits
        self._request = request_factory
        self._refused = refused_counter
        self._express = express
        if open_gauge is not None:
            open_gauge.set_function(lambda: len(self._open))
        self._settings = settings
        self._open: dict[Connection, None] = {}
        self._silent: dict[Connection, None] = {}  # those without any request yet, oldest first
        self._waiting: deque[Connection] = deque()  # those that we wait for, longest first
        self._ranked_at = -math.inf
        self._is_full = False
        self._timer = self._loop.call_later(LOOK_S, self._look)

    def __call__(self) -> Connection:
        """Make the protocol of one connection."""
        return Connection(self, loop=self._loop, express=self._express, **self._settings)

    async def shutdown(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - aiohttp's
        """Stop looking, and close all."""
        self._timer.cancel()
        await super().shutdown(timeout)

    def admit(self, connection: Connection) -> bool:
        """Give a connection a place. False: all are taken by clients that are being served."""
        if len(self._open) >= self.limits.connections_max:
            if self._refused is not None:
                self._refused.inc()
            if not self._is_full:
                self._is_full = True
                logger.warning("connections_full", connections=len(self._open))
            if not self._make_room():
                return False
        self._open[connection] = None
        self._silent[connection] = None
        return True

    def forget(self, connection: Connection) -> None:
        """Free the place of a connection."""
        self._open.pop(connection, None)
        self._silent.pop(connection, None)

    def heard(self, connection: Connection) -> None:
        """Note the first request of a connection."""
        self._silent.pop(connection, None)

    def _begin_request(
        self, message: Any, body: StreamReader, connection: Any, *more: Any
    ) -> web.BaseRequest:
        """Make the request of a whole head."""
        connection.begin(body)
        try:
            request: web.BaseRequest = self._request(message, body, connection, *more)
        except ValueError:  # aiohttp's parser took the target, and yarl finds no name in it
            request = self._request(ERROR, body, connection, *more)
            request[UNREADABLE] = True
        return request

    def _make_room(self) -> bool:
        """Close the connection that has kept us waiting longest. False: there is none."""
        victim = next(iter(self._silent), None)
        if victim is None and not self._waiting and self._loop.time() - self._ranked_at > RANK_S:
            self._rank()
        while victim is None and self._waiting:
            candidate = self._waiting.popleft()
            if candidate in self._open and candidate.waits:
                victim = candidate
        if victim is None:
            return False
        self.forget(victim)
        victim.cut()
        return True

    def _rank(self) -> None:
        """Rank those that we wait for: first those between requests, then those within one.

        Both count, because half a body holds a place just as half a head does.
        """
        waiting = [c for c in self._open if c.waits]
        self._waiting = deque(sorted(waiting, key=lambda c: (not c.is_between, c.since)))
        self._ranked_at = self._loop.time()

    def _look(self) -> None:
        """Close the connections that have stood still for too long."""
        now = self._loop.time()
        self._timer = self._loop.call_later(LOOK_S, self._look)
        for connection in list(self._open):
            place = (connection.stage, connection.served, connection.taken)
            if place != connection.place:
                connection.place = place
                connection.since = now
            elif now - connection.since >= self.limits.seconds(place[0]):
                connection.cut()
        self._rank()
        self._is_full = self._is_full and len(self._open) > 0.9 * self.limits.connections_max
