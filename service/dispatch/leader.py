"""Which dispatcher leads: the one whose session holds the leader's lock. The others stand by."""

from service.errors import DatabaseAway
from service.ledger.connection import LEAD, Connection, connect, lock_holder
from service.ledger.db import translated
from service.model.server import LockHolder


class Leader:
    """A direct session that only holds the lock, and is asked each second whether it still does."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._conn: Connection | None = None

    async def elect(self) -> bool:
        """Return whether we lead, taking the lock if it is free. Raises DatabaseAway.

        A session that failed is closed: its server may no longer be the primary.
        """
        if self._conn is None or self._conn.closed:
            self._conn = await connect(self._url, "notify-disp")
        try:
            with translated():
                cursor = await self._conn.execute("select notify.lead()")
                row = await cursor.fetchone()
        except DatabaseAway:
            await self.close()
            raise
        return bool(row and row[0])

    async def holder(self) -> LockHolder | None:
        """Say who leads, or holds the lock without leading. Raises DatabaseAway."""
        assert self._conn is not None
        with translated():
            return await lock_holder(self._conn, LEAD)

    async def close(self) -> None:
        """Give the lead up."""
        if self._conn is not None:
            await self._conn.close()
            self._conn = None
