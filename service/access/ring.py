"""The keys that are valid, in memory: a request asks no database, and a revocation is soon felt.

They are read again each LOOK_S, and an unknown id makes them be read at once. What was not
confirmed for CONFIRMED_S is not believed: then a request waits for the next reading, and while the
database is away there is none. So a key that is revoked works for CONFIRMED_S at most.
"""

import asyncio
import math
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Protocol

from loguru import logger

from service.access.held import Held, held_from, matching
from service.access.key import Secret, ValidKeys
from service.errors import DatabaseAway, NotifyError
from service.process.cancelled import was_cancelled

LOOK_S = 2.0
CONFIRMED_S = 4.0
READ_MAX_S = 2.0  # that a request waits: it is to be answered within 5 s
READINGS_MAX = 2  # at once: INSERTs use the same connections
APART_S = 0.5  # between two readings for unknown ids, however many ask
NOTE_USES_S = 60.0


class Outage(Protocol):
    """What is told whether the database answers; a room above makes it."""

    def away(self, error: Exception, connection: str = "") -> None:
        """Note that it failed."""

    def back(self, connection: str = "") -> None:
        """Note that it answered."""


class Keys(Protocol):
    """Where the keys are kept. Every method may raise DatabaseAway."""

    async def valid(self, digest: str | None) -> ValidKeys | None:
        """Read the valid keys; None: they are still those of this digest."""

    async def use(self, ids: list[str]) -> None:
        """Note that these were used just now."""


class KeyRing:
    """The valid keys.

    Threads: one event loop.
    """

    def __init__(
        self,
        keys: Keys,
        *,
        may_be_open: bool,
        outage: Outage | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Know nothing yet. `may_be_open`: whether anybody may call while no key exists."""
        self.has_keys = True  # whether there are any, or it is not known yet
        self._keys = keys
        self._outage = outage
        self._may_be_open = may_be_open
        self._is_open = False
        self._now = now
        self._held: dict[str, Held] = {}
        self._digest: str | None = None  # of what is held
        self._began_at = self._confirmed_at = -math.inf
        self._readings: set[asyncio.Task[None]] = set()
        self._used: set[str] = set()
        self._noted_at = now()
        self._was_open: bool | None = None

    @property
    def is_open(self) -> bool:
        """Whether anybody may call, as far as is known for sure."""
        return self._is_open and self._is_fresh()

    def _is_fresh(self) -> bool:
        return self._now() - self._confirmed_at <= CONFIRMED_S

    async def confirm(self) -> None:
        """Read the keys again if they are not fresh. Raises DatabaseAway."""
        if not self._is_fresh():
            await self.read()

    async def find(self, secret: Secret) -> Held | None:
        """Return the valid key that this is; None: it is none. Raises DatabaseAway."""
        await self.confirm()
        if secret.id not in self._held:
            await self._read_anew()
        return self._known(secret)

    async def still(self, secret: Secret) -> Held | None:
        """Return the valid key that this was a moment ago; None: it is none now.

        Raises DatabaseAway. It reads for no unknown id: many requests of a key that was revoked
        may ask at once.
        """
        await self.confirm()
        return self._known(secret)

    def held(self, secret: Secret) -> Held | None:
        """Return the valid key that this is; None: it is none, or one has to read to know."""
        return self._known(secret) if self._is_fresh() else None

    def _known(self, secret: Secret) -> Held | None:
        held = matching(self._held, secret)
        if held is not None:
            self._used.add(secret.id)
        return held

    async def read(self) -> None:
        """Read the keys; calls of the same time share one reading. Raises DatabaseAway.

        One that takes longer than a request waits may be on a dead connection: it goes on, and
        another begins.
        """
        is_late = self._now() - self._began_at > READ_MAX_S
        if not self._readings or (is_late and len(self._readings) < READINGS_MAX):
            self._began_at = self._now()
            reading = asyncio.create_task(self._read())
            self._readings.add(reading)
            reading.add_done_callback(self._ended)
        try:
            async with asyncio.timeout(READ_MAX_S):
                await first_success(self._readings)
        except TimeoutError:
            raise DatabaseAway("the keys were not read in time") from None

    async def _read_anew(self) -> None:
        """Wait for a reading that begins from now on, and not too soon after another."""
        asked_at = self._now()
        while self._confirmed_at < asked_at:
            if (wait_s := self._began_at + APART_S - self._now()) > 0:
                await asyncio.sleep(wait_s)
            await self.read()

    def _ended(self, reading: asyncio.Task[None]) -> None:
        self._readings.discard(reading)
        if not reading.cancelled():
            reading.exception()  # who waits for it hears; perhaps nobody does

    async def _read(self) -> None:
        began_at = self._began_at = self._now()
        try:
            valid = await self._changed()
        except NotifyError as error:
            if self._outage and began_at >= self._confirmed_at:
                self._outage.away(error, "keys")
            raise
        if began_at < self._confirmed_at:
            return  # one that began later has ended
        if self._outage:
            self._outage.back("keys")
        if valid is not None:
            self._digest = valid.digest
            self._held = held_from(valid.keys, self._held, self._now)
            self.has_keys = valid.digest != ""
            self._is_open = self._may_be_open and not self.has_keys
            self._tell()
        self._confirmed_at = began_at

    async def _changed(self) -> ValidKeys | None:
        """Read the keys; None: they are those that are held, whichever reading put them there."""
        while True:
            digest = self._digest
            valid = await self._keys.valid(digest)
            if valid is not None or digest == self._digest:
                return valid

    def _tell(self) -> None:
        """Log whether anybody may call, at the start and whenever that changes."""
        if self._is_open != self._was_open:
            self._was_open = self._is_open
            if self._is_open:
                logger.info("anybody_may_call", until="notify keys create")
            else:
                logger.info("keys_needed")

    async def note_uses(self) -> None:
        """Write down which keys were used since the last time. Raises DatabaseAway."""
        self._noted_at = self._now()
        if used := sorted(self._used):
            await self._keys.use(used)
            self._used.difference_update(used)

    async def close(self) -> None:
        """End a reading that is under way, and write down the last uses if the database answers."""
        for reading in self._readings:
            reading.cancel()
        await asyncio.gather(*self._readings, return_exceptions=True)
        with suppress(NotifyError):
            await self.note_uses()

    async def kept(self) -> None:
        """Read the keys every LOOK_S until cancelled, and note their uses each minute."""
        while not was_cancelled():
            with suppress(NotifyError):  # it is logged where it happens
                await self.read()
                if self._now() - self._noted_at > NOTE_USES_S:
                    await self.note_uses()
            if not was_cancelled():
                await asyncio.sleep(LOOK_S)


async def first_success(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Wait until one of these tasks succeeds. Raises what the last of them raises."""
    left = {*tasks}
    while left:
        done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
        good = {task for task in done if not task.cancelled() and task.exception() is None}
        if good or not left:
            await next(iter(good or done))
            return
