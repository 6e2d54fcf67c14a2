"""Who waits for the end of a notification: one session listens for all requests that do."""

import asyncio
import time
from collections.abc import Iterable
from uuid import UUID

from loguru import logger

from service.errors import DatabaseAway, NotifyError
from service.http.problems import Problem
from service.ledger.listener import Listener
from service.ledger.read_store import ReadStore
from service.logs.logs import first_line
from service.logs.seldom import Seldom

PAUSE_S = 0.02  # at least this long between two looks
COST = 4  # and this many times as long as the last one took
AGAIN_S = 0.05  # until the next look at a row that somebody was moving
SLOW_S = 1.0  # between two looks where nothing can be heard
LINGER_S = 5.0  # for which the session listens after the last request

End = asyncio.Future[None]


class Ends:
    """Waits for the ends of notifications; while nobody waits it costs nothing.

    A look asks for a ring, by primary key: see ask_end(). As soon as we listen we look at all that
    is waited for, so that no end is missed. Where nothing can be heard we look each second.
    """

    def __init__(self, store: ReadStore, listener: Listener | None, *, waiting_max: int) -> None:
        self._store = store
        self._listener = listener
        self._waiting_max = waiting_max
        self._producer_max = max(1, waiting_max // 2)
        self._waiting: dict[UUID, set[End]] = {}
        self._count = 0
        self._of_producer: dict[str | None, int] = {}  # how many wait; no entry for none
        self._next: set[UUID] = set()  # what the next look is about
        self._stir = asyncio.Event()
        self._hears = False
        self._deaf = Seldom("waits_hear_nothing")
        self._task: asyncio.Task[None] | None = None
        self._is_closed = False

    def count(self) -> int:
        """Return how many requests wait."""
        return self._count

    def expect(self, id: UUID, producer: str | None = None) -> End:
        """Return what is done when it has ended, or may have. Whoever no longer waits cancels it.

        Raises Problem if too many wait. Of one producer half as many may: then it keeps nobody
        else out. `producer` None: there are no keys, so there is nobody to leave room for.
        """
        if self._is_full_for(producer):
            raise Problem("too_many_waiting")
        end = asyncio.get_running_loop().create_future()
        if self._is_closed:
            end.set_result(None)
            return end
        self._add(producer, 1)
        self._waiting.setdefault(id, set()).add(end)
        end.add_done_callback(lambda end: self._forget(id, producer, end))
        self._look_at([id])
        if self._task is None:
            self._begin()
        return end

    async def close(self, _app: object = None) -> None:
        """Let all that wait go on, and stop listening."""
        self._is_closed = True
        self._end(list(self._waiting))
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _begin(self, _ended: object = None) -> None:
        """Begin to listen and look; again if somebody came while the last task was ending."""
        self._task = None
        if self._waiting and not self._is_closed:
            self._task = asyncio.create_task(self._kept(), name="ends")
            self._task.add_done_callback(self._begin)

    def _is_full_for(self, producer: str | None) -> bool:
        """Return whether as many wait as may, of all or of this producer."""
        if self._count >= self._waiting_max:
            return True
        return producer is not None and self._of_producer.get(producer, 0) >= self._producer_max

    def _add(self, producer: str | None, count: int) -> None:
        self._count += count
        waiting = self._of_producer.pop(producer, 0) + count
        if waiting:
            self._of_producer[producer] = waiting

    def _forget(self, id: UUID, producer: str | None, end: End) -> None:
        self._add(producer, -1)
        ends = self._waiting[id]
        ends.discard(end)
        if not ends:
            del self._waiting[id]
            self._stir.set()

    def _end(self, ids: Iterable[UUID]) -> None:
        for end in [end for id in ids for end in self._waiting.get(id, ())]:
            if not end.done():
                end.set_result(None)

    def _look_at(self, ids: Iterable[UUID]) -> None:
        self._next.update(ids)
        self._stir.set()

    async def _kept(self) -> None:
        """Listen and look until nobody has waited for a while."""
        hearing = asyncio.create_task(self._hear(), name="ends, hearing")
        try:
            while self._waiting or await self._comes_back():
                await self._turn()
        except Exception:
            logger.exception("unexpected_error", task="ends")
            await asyncio.sleep(SLOW_S)
        finally:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)

    async def _turn(self) -> None:
        """Look at what is due for it, and wait until there is more."""
        self._stir.clear()
        ids = [id for id in self._next if id in self._waiting]
        self._next.clear()
        began = time.monotonic()
        unasked = await self._look(ids) if ids else []
        await asyncio.sleep(max(PAUSE_S, COST * (time.monotonic() - began)))
        if not self._hears:
            await self._stirs(SLOW_S)
            self._next.update(self._waiting)
        elif unasked:
            await self._stirs(AGAIN_S)
            self._next.update(unasked)
        elif self._waiting:
            await self._stir.wait()

    async def _look(self, ids: list[UUID]) -> list[UUID]:
        """Let go on whose notification has ended, or is gone; returns what must be asked again."""
        try:
            states = await self._store.ask_end(ids)
        except NotifyError as error:
            self._deaf.happened(reason=first_line(error))
            await asyncio.sleep(SLOW_S)
            return ids
        self._end(id for id in ids if states.get(id, "ended") == "ended")
        return [id for id, state in states.items() if state == "unasked"]

    async def _hear(self) -> None:
        """Look at all whenever it rings, and once when we begin to listen."""
        while self._listener is not None:
            try:
                await self._listener.open()
                self._hears = True
                self._look_at(self._waiting)
                while True:
                    await self._listener.heard()
                    self._look_at(self._waiting)
                    await asyncio.sleep(PAUSE_S)
            except DatabaseAway as error:
                self._deaf.happened(reason=first_line(error))
            except Exception:
                logger.exception("unexpected_error", task="ends, hearing")
            finally:
                self._hears = False
                self._look_at(self._waiting)
                await self._listener.close()
            await asyncio.sleep(SLOW_S)

    async def _comes_back(self) -> bool:
        """Return whether somebody waits again before the session is given up."""
        self._stir.clear()
        return await self._stirs(LINGER_S)

    async def _stirs(self, within_s: float) -> bool:
        """Wait until there is something to do; returns False if the time is up first."""
        try:
            async with asyncio.timeout(within_s):
                await self._stir.wait()
        except TimeoutError:
            return False
        return True
