"""The doorbell: how a dispatcher sleeps without losing a wake-up.

Asleep means: this session holds the doorbell's lock exclusively, and a look begun after the grant
found nothing. Producers see the lock in the trigger's WHEN and ring only then. The proof, and the
variants that lose wake-ups, are in ops/adr/0002-doorbell.md.
"""

from service.db import Connection, connect, translated

ARM_WAIT_MS = 5  # for producers in flight that did not ring
ARM_WAIT_LONG_MS = 20  # after a second of failures


class Doorbell:
    """A listening session that does nothing but arm, wait and disarm: direct, in autocommit."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._conn: Connection | None = None

    async def open(self) -> None:
        """Connect and LISTEN, before the first look: nothing falls between."""
        if self._conn is not None and not self._conn.closed:
            return
        conn = await connect(self._url, "notify-disp")
        try:
            with translated():
                await conn.execute("listen notify_wake")
        except BaseException:  # a session that does not listen must not pass for one that does
            await conn.close()
            raise
        self._conn = conn

    async def arm(self, wait_ms: int) -> bool:
        """Make later INSERTs ring. False: a silent producer is still in flight, look again."""
        assert self._conn is not None
        with translated():
            cursor = await self._conn.execute("select notify.arm(%s)", [wait_ms])
            row = await cursor.fetchone()
        return bool(row and row[0])

    async def wait(self, timeout_s: float) -> bool:
        """Sleep until the bell rings or the time is up; says whether it rang."""
        assert self._conn is not None
        with translated():
            # Exhausted, never left early: leaving the generator loses the rest of the packet.
            rings = [n async for n in self._conn.notifies(timeout=timeout_s, stop_after=1)]
        return bool(rings)

    async def disarm(self) -> None:
        """Let producers be silent again. All locks: a timeout of arm() can race its grant."""
        assert self._conn is not None
        with translated():
            await self._conn.execute("select pg_advisory_unlock_all()")

    async def close(self) -> None:
        """End the session; its lock and its LISTEN end with it."""
        if self._conn is not None:
            await self._conn.close()
            self._conn = None
