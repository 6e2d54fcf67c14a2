"""The settler thread: settles and releases in batches: all that came while the last call ran."""

import time
from collections import defaultdict
from dataclasses import replace
from queue import Empty, SimpleQueue

from loguru import logger

from service.config import Settings
from service.errors import DatabaseAway
from service.metrics import WorkerMetrics
from workers.accounts import Accounts
from workers.claim import Ended, Key, Outbox, Unstarted
from workers.loop import Loop
from workers.outcome import BROKEN
from workers.slots import Slots
from workers.store import LOCKED, Store

WAIT_S = 0.25
BATCH_MAX = 1000
LOCKED_WAIT_S = 0.02


class Settler(Loop):
    """Keeps what it could not settle; the slots bound how much that can be."""

    def __init__(
        self,
        settings: Settings,
        metrics: WorkerMetrics,
        *,
        store: Store,
        slots: Slots,
    ) -> None:
        super().__init__("settler", metrics)
        self._store = store
        self._slots = slots
        self.inbox: Outbox = SimpleQueue()
        self._accounts = Accounts(metrics)
        self._ended: list[Ended] = []
        self._unstarted: list[Unstarted] = []
        self._grace_ends: float | None = None

    def finish(self, grace_ends: float) -> None:
        """End when all is settled, or with the grace (the runner's call, after the senders)."""
        self._grace_ends = grace_ends
        self.stop()

    @property
    def _wanted(self) -> bool:
        """Whether something is left to settle in the grace."""
        if self._grace_ends is None:
            return True
        waiting = bool(self._ended or self._unstarted) or not self.inbox.empty()
        return waiting and time.monotonic() < self._grace_ends

    def turn(self) -> None:
        """Settle and release what waits."""
        self._collect()
        if self._unstarted:
            self._release()
        if self._ended:
            self._settle(self._ended[:BATCH_MAX])

    def close(self) -> None:
        """Say what is left to the reaper."""
        self._collect()
        if left := len(self._ended) + len(self._unstarted):
            logger.error("unsettled", count=left)
        self._store.close()

    def _collect(self) -> None:
        """Take all that the senders have put out; wait for some if there is none."""
        idle = not (self._ended or self._unstarted) and self._grace_ends is None
        try:
            over = self.inbox.get(timeout=WAIT_S) if idle else self.inbox.get_nowait()
            while True:
                self._ended += [one for one in over if isinstance(one, Ended)]
                self._unstarted += [one for one in over if isinstance(one, Unstarted)]
                over = self.inbox.get_nowait()
        except Empty:
            return

    def _release(self) -> None:
        """Give claims back, a call for each delay there is."""
        by_delay = defaultdict(list)
        for one in self._unstarted:
            by_delay[one.delay_s].append(one)
        for delay_s, batch in by_delay.items():
            ours = self._release_batch(batch, delay_s)
            self._unstarted = [one for one in self._unstarted if one.delay_s != delay_s]
            self._slots.settled([one.claim.key for one in batch])
            with self._surviving():
                self._accounts.given_back(batch, ours)

    def _release_batch(self, batch: list[Unstarted], delay_s: float) -> set[Key]:
        """Release a batch; return what was still ours. As in settled(), the odd one stays alone."""
        try:
            return self._store.release([one.claim.key for one in batch], delay_s)
        except DatabaseAway:
            raise
        except Exception as error:
            if len(batch) > 1:
                return set[Key]().union(*[self._release_batch([one], delay_s) for one in batch])
            claim = batch[0].claim
            self._survived(error, notification_id=claim.id, attempt=claim.attempt)
            self._slots.lost([claim.key])
            return set()

    def _settle(self, batch: list[Ended]) -> None:
        """Settle the first of what ended; what somebody holds locked stays, and is tried again."""
        locked = self._settle_batch(batch)
        self._ended[: len(batch)] = locked
        self._slots.settled({one.claim.key for one in batch} - {one.claim.key for one in locked})
        if locked and len(locked) == len(self._ended):
            time.sleep(LOCKED_WAIT_S)

    def _settle_batch(self, batch: list[Ended]) -> list[Ended]:
        """Settle a batch; return what stays: what is locked.

        What PostgreSQL refuses is told by the store, and left to the reaper. If the call itself
        fails, because something cannot even be sent, each goes alone, and then as a broken attempt.
        """
        try:
            found = self._store.settle(batch)
        except DatabaseAway:
            raise
        except Exception as error:
            if len(batch) > 1:
                return [locked for one in batch for locked in self._settle_batch([one])]
            claim = batch[0].claim
            self._survived(error, notification_id=claim.id, attempt=claim.attempt)
            return [] if batch[0].verdict is BROKEN else [replace(batch[0], verdict=BROKEN)]
        with self._surviving():
            self._accounts.enter(batch, found)
        keys = {key for key, settled in found.items() if settled.status == LOCKED}
        return [one for one in batch if one.claim.key in keys] if keys else []
