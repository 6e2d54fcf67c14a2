"""A direct session that only listens to a channel, for asyncio."""

import time

from service.errors import DatabaseAway, Unfit
from service.ledger.connection import Connection, connect
from service.ledger.db import translated

BEAT_S = 5.0  # without a bell, then the session is asked whether it is alive
BELLS_MAX = 1000  # unread at once: each settled batch rings once
DEAF_S = 5.0  # how long we do not listen after too many bells


class Listener:
    """Hears that a channel rang, and not what: who hears it looks.

    Anybody can ring. A session that gets more than BELLS_MAX at once is closed for DEAF_S.
    """

    def __init__(self, url: str, role: str, channel: str) -> None:
        self._url = url
        self._role = role
        self._listen = f"listen {channel}"
        self._conn: Connection | None = None
        self._deaf_until = 0.0

    async def open(self) -> None:
        """Connect and LISTEN. Raises DatabaseAway; Unfit where a pooler shares its sessions."""
        if time.monotonic() < self._deaf_until:
            raise DatabaseAway("too many bells")
        conn = await connect(self._url, self._role)
        if conn.pins:
            await conn.close()
            raise Unfit("LISTEN needs DATABASE_DIRECT_URL, which goes past the pooler")
        try:
            with translated():
                await conn.execute(self._listen)
        except BaseException:  # a session that does not listen must not pass for one that does
            await conn.close()
            raise
        self._conn = conn

    async def heard(self) -> None:
        """Return when it has rung. Raises DatabaseAway when the session is of no use any more."""
        assert self._conn is not None
        with translated():
            while not await self._bells(BEAT_S):
                await self._conn.execute("select")
            bells = 1
            while more := await self._bells(0):
                bells += more
                if bells > BELLS_MAX:
                    self._deaf_until = time.monotonic() + DEAF_S
                    raise DatabaseAway("too many bells")

    async def _bells(self, timeout_s: float) -> int:
        """Count the bells of one packet; 0: the time is up."""
        assert self._conn is not None
        # The generator must run to its end: leaving it early would lose the rest of the packet.
        return len([n async for n in self._conn.notifies(timeout=timeout_s, stop_after=1)])

    async def close(self) -> None:
        """End the session, and its LISTEN with it."""
        if self._conn is not None:
            await self._conn.close()
            self._conn = None
