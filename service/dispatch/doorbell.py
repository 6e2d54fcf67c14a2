"""The doorbell: how a dispatcher sleeps without losing a wake-up.

Asleep means: this session holds the doorbell's lock exclusively, and a look begun after the grant
found nothing. Producers see the lock in the trigger's WHEN and ring only then. The proof, and the
variants that lose wake-ups, are in ops/adr/0002-doorbell.md.
"""

import math
import select
import time

from service.ledger.connection import BELL, Connection, connect, lock_holder
from service.ledger.db import translated
from service.logs.seldom import Seldom
from service.model.server import LockHolder

ARM_WAIT_MS = 5  # for producers' open transactions, which do not ring
ARM_WAIT_LONG_MS = 20  # after a second of failures
ARM_PATIENCE_S = 10.0  # then the log names the holder of the lock
BELLS_MAX = 1000  # unread at once: producers that rang for one sleep are far fewer
DEAF_S = 5.0  # how long we do not listen after too many bells


class Doorbell:
    """A listening session that does nothing but arm, wait and disarm: direct, in autocommit.

    Anybody can ring. Bells are read before each statement, because libpq would keep them all in
    memory and answer late. A session that gets more than BELLS_MAX is closed for DEAF_S.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._conn: Connection | None = None
        self._deaf_until = 0.0
        self._rang = False
        self._flood = Seldom("doorbell_flooded")
        self._failing_since: float | None = None  # to arm it
        self._ask_holder_at = -math.inf
        self._kept_by: LockHolder | None = None
        self._unarmed = Seldom("doorbell_cannot_be_armed")

    @property
    def is_kept(self) -> bool:
        """Whether a session that is no producer's has held the lock for long."""
        return self._kept_by is not None

    async def open(self) -> bool:
        """Connect and LISTEN, before the first look, so that no bell is missed. False: too many."""
        if self._conn is not None and not self._conn.closed:
            return True
        if time.monotonic() < self._deaf_until:
            return False
        conn = await connect(self._url, "notify-disp")
        try:
            with translated():
                await conn.execute("listen notify_wake")
        except BaseException:  # a session that does not listen must not pass for one that does
            await conn.close()
            raise
        self._conn = conn
        return True

    async def arm(self) -> bool:
        """Make later INSERTs ring. False: a transaction that does not ring is open, look again.

        After a second of failures it waits longer; after ARM_PATIENCE_S the log names the holder.
        """
        now = time.monotonic()
        failing_s = 0.0 if self._failing_since is None else now - self._failing_since
        if await self.arm_within(ARM_WAIT_LONG_MS if failing_s > 1 else ARM_WAIT_MS):
            self._failing_since = self._kept_by = None
            return True
        self._failing_since = self._failing_since or now
        if failing_s > ARM_PATIENCE_S and now >= self._ask_holder_at:
            self._ask_holder_at = now + ARM_PATIENCE_S
            await self._see_who_keeps_it()
        return False

    async def arm_within(self, wait_ms: int) -> bool:
        """Try once to arm it. False: there was no time for it, or there were too many bells."""
        assert self._conn is not None
        with translated():
            if not await self._read_bells():
                return False
            cursor = await self._conn.execute("select notify.arm(%s)", [wait_ms])
            row = await cursor.fetchone()
        return bool(row and row[0])

    async def wait(self, timeout_s: float) -> bool:
        """Sleep until the bell rings or the time is up; returns whether it rang."""
        assert self._conn is not None
        with translated():
            # The generator must run to its end: leaving it early would lose the rest of the packet.
            rings = [n async for n in self._conn.notifies(timeout=timeout_s, stop_after=1)]
        self._rang = self._rang or bool(rings)
        return bool(rings)

    def rang(self) -> bool:
        """Return whether it rang since this was last called, even if it woke nobody."""
        rang, self._rang = self._rang, False
        return rang

    async def disarm(self) -> None:
        """Stop producers from ringing.

        It releases all locks of the session, because arm() may be granted one as it times out.
        """
        assert self._conn is not None
        with translated():
            if await self._read_bells():
                await self._conn.execute("select pg_advisory_unlock_all()")

    async def close(self) -> None:
        """End the session; its lock and its LISTEN end with it."""
        if self._conn is not None:
            await self._conn.close()
            self._conn = None

    async def _see_who_keeps_it(self) -> None:
        """Log who holds the lock. lock_holder() leaves producers out: they come and go."""
        self._kept_by = None
        if self._conn is not None:
            with translated():
                self._kept_by = await lock_holder(self._conn, BELL)
        self._unarmed.happened(holder=str(self._kept_by or "a producer's open transaction"))

    async def _read_bells(self) -> bool:
        """Read the bells that rang so far. False: they were too many, and the session is closed."""
        assert self._conn is not None
        count = 0
        data = select.poll()  # select() takes no descriptor above 1023
        data.register(self._conn.fileno(), select.POLLIN)
        while count < BELLS_MAX and data.poll(0):
            count += len([n async for n in self._conn.notifies(timeout=0)])
        self._rang = self._rang or count > 0
        if count < BELLS_MAX:
            return True
        self._flood.happened(bells=count)
        self._deaf_until = time.monotonic() + DEAF_S
        await self.close()
        return False
