"""What the console asks of the ledger's small tables: every call reads some rows by their keys."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from psycopg.rows import class_row

from service.ledger.connection import Connection
from service.model.figures import Destination, DestinationMinute, LivingWorker, Minute, Now

WORKERS_MAX = 1000
LEASES_LOOK_MAX = 5000

NOW = "select * from notify.now()"
FLOW = "select * from notify.flow(%s)"
DESTINATIONS = "select * from notify.destinations(%s, p_find => %s, p_is_kept => %s)"
DESTINATION = "select * from notify.destinations(1, p_channel => %s, p_name => %s)"
MINUTES = "select * from notify.destination(%s, %s)"
WORKERS = "select * from notify.living_workers(%s, %s)"

Lend = Callable[[], AbstractAsyncContextManager[Connection]]
Row = TypeVar("Row")


class FigureStore:
    """Figures that others have written. Every method may raise DatabaseAway."""

    def __init__(self, connection: Lend) -> None:
        """`connection`: lends one, as a pool does."""
        self._connection = connection

    async def now(self) -> Now:
        """Say how things stand."""
        [now] = await self._rows(Now, NOW)
        return now

    async def flow(self, minutes: int) -> list[Minute]:
        """Show what came in and went out in the last minutes that are over, at most 60."""
        return await self._rows(Minute, FLOW, minutes)

    async def destinations(
        self, limit: int, *, find: str | None = None, is_kept: bool = False
    ) -> list[Destination]:
        """Show what went to each destination in the last hour, the busiest first, at most 200.

        `find`: those whose name contains it, in any case; `is_kept`: those that are kept back.
        """
        return await self._rows(Destination, DESTINATIONS, limit, find, is_kept)

    async def destination(self, channel: str, name: str) -> Destination | None:
        """Show what went to one. None: nothing did in the last hour, and nothing is kept back."""
        found = await self._rows(Destination, DESTINATION, channel, name)
        return found[0] if found else None

    async def minutes(self, channel: str, name: str) -> list[DestinationMinute]:
        """Show what one destination took in each of the last 60 minutes, the oldest first."""
        return await self._rows(DestinationMinute, MINUTES, channel, name)

    async def workers(self) -> list[LivingWorker]:
        """List the workers that live, with their leases."""
        return await self._rows(LivingWorker, WORKERS, WORKERS_MAX, LEASES_LOOK_MAX)

    async def _rows(self, kind: type[Row], query: str, *args: Any) -> list[Row]:
        async with self._connection() as conn:
            cursor = conn.cursor(row_factory=class_row(kind))
            await cursor.execute(query, args)
            return await cursor.fetchall()
