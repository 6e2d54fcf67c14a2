"""Server-sent events of one notification: its page moves while somebody looks.

An event says that something moved, and nothing of what: the page asks for itself again.
"""

import asyncio
import time
from typing import cast
from uuid import UUID

from aiohttp import web
from loguru import logger

from service.access.caller import Caller
from service.access.scopes import READ, sees_all
from service.api.parts import Parts
from service.api.read import notification_id
from service.api.read_limit import ReadLimit
from service.api.sight import is_own
from service.errors import NotifyError
from service.http.connections import Connection
from service.http.problems import Problem
from service.model.notification import Standing
from service.process.descriptors import connections_max

VIEWERS_MAX = 100
PLACES_PART = 4  # of all connections at most this part; requests that wait have half of them
LOOK_S = 1.0  # between two looks for one viewer
BEAT_S = 15.0  # a proxy ends a connection that says nothing
LINGER_S = 5.0  # that a stream goes on after the end
LASTS_S = 900.0  # then the browser begins a new one
AGAIN_MS = 3000  # after which a browser begins anew when a stream breaks
HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx
    "X-Content-Type-Options": "nosniff",
}


class Events:
    """Follows notifications for a bounded number of viewers, one look at a time."""

    def __init__(self, parts: Parts) -> None:
        self._store = parts.reads
        self._door = parts.door
        places = connections_max(parts.settings.connections_max) // PLACES_PART
        self.viewers_max = min(VIEWERS_MAX, max(places, 1))
        self._turns = ReadLimit(1, self.viewers_max)
        # Each is set when its stream must end; with the producer that looks.
        self._streams: dict[asyncio.Event, str | None] = {}
        self._is_closed = False
        parts.app.on_shutdown.append(self.close)

    async def close(self, _app: object = None) -> None:
        """End every stream, and begin none."""
        self._is_closed = True
        for ends in self._streams:
            ends.set()

    async def stream(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        """Send events until the notification has ended. Raises Problem if too many look."""
        if self._is_closed or self._is_full_for(caller.producer):
            raise Problem("too_many_waiting")
        ends = asyncio.Event()
        self._streams[ends] = caller.producer
        connection = cast("Connection", request.protocol)
        connection.on_lost = ends.set
        if connection.is_half:  # before this handler ran
            ends.set()
        try:
            standing = await self._look(notification_id(request), caller)
            response = web.StreamResponse(headers=HEADERS)
            await response.prepare(request)
            try:
                await self._follow(request, caller, response, standing, ends)
                await response.write_eof()
            except ConnectionError:  # nobody reads any more
                pass
            except Exception:  # a page of it would be written into the stream
                logger.exception("unexpected_error", task="events")
                response.force_close()
            return response
        finally:
            connection.on_lost = None
            del self._streams[ends]

    def _is_full_for(self, producer: str | None) -> bool:
        """Return whether as many look as may, of all or of this producer: it has half the places.

        `producer` None: there are no keys, so there is nobody to leave room for.
        """
        if len(self._streams) >= self.viewers_max:
            return True
        looking = sum(one == producer for one in self._streams.values())
        return producer is not None and looking >= max(self.viewers_max // 2, 1)

    async def _follow(
        self,
        request: web.Request,
        caller: Caller,
        response: web.StreamResponse,
        standing: Standing,
        ends: asyncio.Event,
    ) -> None:
        """Write an event for each move, and now and then a comment."""
        id = notification_id(request)
        began = spoke_at = time.monotonic()
        settled_at: float | None = None
        await response.write(b"retry: %d\n\n" % AGAIN_MS + moved(standing))
        while True:
            now = time.monotonic()
            settled_at = None if standing.settled_at is None else settled_at or now
            if now - began > LASTS_S or (settled_at is not None and now - settled_at >= LINGER_S):
                return
            if await is_set(ends, LOOK_S):
                return
            try:
                caller = await self._door.still(request, READ)
                before, standing = standing, await self._look(id, caller)
            except (Problem, NotifyError):  # the browser asks again, and is told why
                return
            if standing != before:
                await response.write(moved(standing))
            elif time.monotonic() - spoke_at >= BEAT_S:
                await response.write(b": it is still there\n\n")
            else:
                continue
            spoke_at = time.monotonic()

    async def _look(self, id: UUID, caller: Caller) -> Standing:
        """Read where it stands. Raises Problem if the caller may not see it."""
        async with self._turns.admitted(caller.producer):
            standing = await self._store.standing(id)
        if standing is None or not (sees_all(caller) or is_own(standing.producer, caller)):
            raise Problem("notification_not_found")
        return standing


def moved(standing: Standing) -> bytes:
    """Write an event."""
    return b"event: moved\ndata: %b\n\n" % standing.status.encode()


async def is_set(event: asyncio.Event, within_s: float) -> bool:
    """Wait for an event, so long at most."""
    try:
        async with asyncio.timeout(within_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
