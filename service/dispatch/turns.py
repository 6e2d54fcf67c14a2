"""The road's turns: offer what is due; if nothing is, arm the doorbell, look again, and sleep.

ops/adr/0002-doorbell.md proves that no wake-up is lost between these steps.
"""

import asyncio
import math
import random
import time
from collections.abc import Callable

from loguru import logger

from service.dispatch.doorbell import Doorbell
from service.dispatch.offering import Offer, Offering
from service.errors import DatabaseAway, NotifyError
from service.logs.outage import Outage
from service.metrics import DispatcherMetrics
from service.process.cancelled import was_cancelled

SLEEP_MAX_S = 1.0
AWAKE_PAUSE_S = (0.002, 0.010)  # after a look that found something: twice as long as it took
STREAM_ROWS = range(33, 1001)  # so many in one look: rows come by the thousand a second,
STREAM_PAUSE_S = 0.030  # and each look, claim and settle should be about a hundred of them
STOCKED_PAUSE_S = 0.020  # while a lane is stocked: 50 looks per second cost 3 % of a core
BLIND_PAUSE_S = 0.1  # between looks while no doorbell can be heard
LONE_S = 0.005  # bells closer than this: from now on, producers that do not ring are cheaper
LONE_ROWS_MAX = 10  # of a bell; after more, some may be left that nobody rings for
VAIN_PAUSE_S = (0.002, 0.1)  # after a bell without a new row; doubled for each consecutive one
FAILED_PAUSE_S = (0.1, 2.0)  # while a server is away; doubled for each consecutive failure
BUG_PAUSE_S = 2.0


class Turns:
    """Takes one turn after the other, and owns the doorbell."""

    def __init__(
        self,
        direct_url: str,
        offering: Offering,
        metrics: DispatcherMetrics,
        may_offer: Callable[[], bool],
    ) -> None:
        self._may_offer = may_offer
        self._offering = offering
        self._metrics = metrics
        self._doorbell = Doorbell(direct_url)
        self._listening = Outage("doorbell")
        self._dispatching = Outage("dispatch")  # it may begin under one lead and end under the next
        self._slept_through = False  # until the tick, in which nothing happened
        self._vain_bells = 0  # consecutive: they rang, and no row had come

    async def run(self) -> None:
        """Take turn after turn, until cancelled; pause while a server is away."""
        first_s, last_s = FAILED_PAUSE_S
        pause_s = first_s
        while not was_cancelled():
            try:
                if not self._may_offer():
                    await self._doorbell.close()
                    await asyncio.sleep(SLEEP_MAX_S)
                    continue
                await self.turn()
                self._dispatching.back()
                pause_s = first_s
            except NotifyError as error:
                self._dispatching.away(error)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, last_s)
            except Exception:  # the road must outlive a bug in one turn
                logger.exception("dispatch_failed")
                await asyncio.sleep(BUG_PAUSE_S)

    async def turn(self) -> None:
        """Offer what is due; if there was nothing, arm, look once more, and sleep."""
        is_heard = await self._listen()
        if is_heard and self._slept_through:
            self._slept_through = False
            await self._fall_asleep()
            return
        began = time.monotonic()
        offer = await self._offering.offer()
        if offer.added:
            self._vain_bells = 0
            await asyncio.sleep(awake_s(offer.added, time.monotonic() - began))
        elif offer.is_stocked and (self._vain_bells or not is_heard):
            await asyncio.sleep(STOCKED_PAUSE_S)  # what comes is for a stocked lane
        elif not is_heard:
            await asyncio.sleep(BLIND_PAUSE_S)
        else:
            await self._fall_asleep()

    async def close(self) -> None:
        """Stop listening; the doorbell's lock ends with its session."""
        await self._doorbell.close()

    async def _listen(self) -> bool:
        """Listen for the bell. False: that is impossible now, and looking often must replace it."""
        try:
            listens = await self._doorbell.open()
        except DatabaseAway as error:
            self._listening.away(error)
            return False
        self._listening.back()
        return listens

    async def _fall_asleep(self) -> None:
        """Arm the doorbell, look once more, and sleep if there is still nothing."""
        if self._vain_bells:
            low, high = VAIN_PAUSE_S
            await asyncio.sleep(min(high, low * 2 ** min(self._vain_bells - 1, 16)))
        if not await self._doorbell.arm():
            if self._doorbell.is_kept:
                await asyncio.sleep(BLIND_PAUSE_S)
            return
        try:
            offer = await self._offering.offer()
            if not offer.added:
                await self._stay_armed(offer)
        except BaseException:
            await self._doorbell.close()  # its lock ends with it
            raise
        await self._doorbell.disarm()
        self._metrics.bells.inc(self._doorbell.rang())

    async def _stay_armed(self, offer: Offer) -> None:
        """Sleep; answer each lone bell with one look, and sleep on, for a tick at most.

        Who commits after that look's snapshot rings again, because the doorbell is still armed.
        While a lane is stocked, it also looks without a bell, as that lane is to be filled again.
        """
        ends = time.monotonic() + SLEEP_MAX_S
        rang_at = -math.inf
        while time.monotonic() < ends and self._may_offer() and not was_cancelled():
            rang = await self._sleep(STOCKED_PAUSE_S if offer.is_stocked else offer.next_due_s)
            if self._vain_bells > 1 or not (rang or offer.is_stocked):
                self._slept_through = not rang
                return
            rang_before, rang_at = rang_at, time.monotonic() if rang else rang_at
            offer = await self._offering.offer(in_haste=rang)
            self._metrics.bells.inc(self._doorbell.rang())
            if offer.added:
                self._vain_bells = 0
            is_busy = rang and rang_at - rang_before <= LONE_S
            if self._vain_bells or is_busy or offer.added > LONE_ROWS_MAX:
                return

    async def _sleep(self, next_due_s: float | None) -> bool:
        """Sleep until the bell, the next due notification or the tick, whichever is first.

        Returns whether the bell rang.
        """
        if was_cancelled():
            return False
        tick_s = SLEEP_MAX_S * random.uniform(0.9, 1.1)
        if await self._doorbell.wait(min(tick_s, next_due_s or tick_s)):
            self._vain_bells += 1  # reset when a look finds something
            return True
        self._vain_bells = 0
        return False


def awake_s(added: int, took_s: float) -> float:
    """Return how long to wait after a look that found something."""
    if added in STREAM_ROWS:
        return STREAM_PAUSE_S
    low, high = AWAKE_PAUSE_S
    return min(high, max(low, 2 * took_s))
