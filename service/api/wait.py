"""GET /notifications/{id}?wait=30: the answer comes when the notification has ended."""

import asyncio
from typing import cast
from uuid import UUID

from aiohttp import web
from multidict import MultiMapping

from service.access.caller import caller_of
from service.api.door import refuse_if_lost
from service.api.ends import Ends
from service.api.read import ReadHandler
from service.api.read_limit import ReadLimit
from service.api.shown import shown
from service.http.connections import Connection
from service.http.problems import Fault, invalid
from service.model.notification import Notification

WAIT_S_MAX = 30
WAITING_MAX = 500
OWN_LINE = "?wait="  # behind its own producer's look-ups, one would hold up who waits for others
SENTENCE = f"Give whole seconds from 0 to {WAIT_S_MAX}, once."


class WaitHandler:
    """Answers one notification when it has ended, or when the time is over.

    `lookups` limits the looks before and after, which take turns so that many that come or end at
    once keep no other look waiting. Nothing is held while a request waits.
    """

    def __init__(self, read: ReadHandler, ends: Ends, lookups: ReadLimit) -> None:
        self._read = read
        self._ends = ends
        self._lookups = lookups
        self._turns = ReadLimit(1, WAITING_MAX, WAIT_S_MAX)

    async def find(self, request: web.Request) -> web.Response:
        """Answer one notification, as a look without waiting would at that time.

        So a key that was revoked meanwhile is refused, and one that may less now sees less.
        """
        wait_s = seconds(request.query)
        notification = await self._look(request)
        if wait_s and notification.settled_at is None:
            await self._ended(notification.id, request, wait_s)
            if request.transport is not None:  # else nobody reads the answer
                notification = await self._look(request)
        return shown(request, notification)

    async def _look(self, request: web.Request) -> Notification:
        producer = caller_of(request).producer
        async with self._turns.admitted(producer), self._lookups.admitted(OWN_LINE):
            await refuse_if_lost(request)
            return await self._read.seen(request)

    async def _ended(self, id: UUID, request: web.Request, wait_s: int) -> None:
        """Return when it has ended, the time is over, or the client sends no more."""
        end = self._ends.expect(id, caller_of(request).producer)
        connection = cast("Connection", request.protocol)
        connection.on_lost = end.cancel
        if request.transport is None or connection.is_half:  # since the first look
            end.cancel()
        try:
            await asyncio.wait([end], timeout=wait_s)
        finally:
            connection.on_lost = None
            end.cancel()


def seconds(query: MultiMapping[str]) -> int:
    """Parse how long a request waits; an empty value is 0. Raises Problem."""
    texts = query.getall("wait", [])
    text = texts[0] or "0" if len(texts) == 1 else ""
    if not (len(text) < 3 and text.isascii() and text.isdigit() and int(text) <= WAIT_S_MAX):
        raise invalid([Fault("invalid_parameter", SENTENCE, parameter="wait")])
    return int(text)
