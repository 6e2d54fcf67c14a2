"""The settler thread: settles and releases in batches of what came while the last call ran."""

import time
from collections import defaultdict
from queue import Empty, SimpleQueue

from loguru import logger
from msgspec.structs import replace

from service.config.settings import Settings
from service.errors import DatabaseAway
from service.metrics import WorkerMetrics
from workers.claim import Ended, Key, Outbox, Unstarted
from workers.loop import Loop
from workers.outcome import BROKEN
from workers.reports import Reports
from workers.rollups import Rollups
from workers.slots import Slots
from workers.store import LOCKED, Store

WAIT_S = 1.0
BATCH_MAX = 1000
# While many sends end, they are settled by the hundred: each call costs as much as some fifty rows.
MANY = 32
ENOUGH = 256
GATHER_S = 0.005
LOCKED_WAIT_S = 0.02


class Settler(Loop):
    """Keeps what it could not settle; the slots bound how much that can be.

    Threads: the senders, and the runner for a stuck one, put into inbox; finish is the runner's;
    the heart reads settled; all else is its own thread's.
    """

    def __init__(
        self,
        settings: Settings,
        metrics: WorkerMetrics,
        *,
        store: Store,
        slots: Slots,
        rollups: Rollups,
    ) -> None:
        super().__init__("settler", metrics)
        self._store = store
        self._slots = slots
        self.inbox: Outbox = SimpleQueue()
        self._reports = Reports(metrics, rollups)
        self.settled = 0  # attempts, since it started
        self._ended: list[Ended] = []
        self._unstarted: list[Unstarted] = []
        self._are_many = False  # whether many ended while the last call ran
        self._grace_ends: float | None = None

    def finish(self, grace_ends: float) -> None:
        """End when all is settled, or the grace is over (called when the senders are done)."""
        self._grace_ends = grace_ends
        self.stop()
        self.inbox.put([])  # it may be waiting for some

    def turn(self) -> None:
        """Settle and release what waits."""
        self._collect()
        if self._unstarted:
            self._release()
        if self._are_many and 0 < len(self._ended) < ENOUGH and self._grace_ends is None:
            time.sleep(GATHER_S)
            self._collect()
        if self._ended:
            self._are_many = len(self._ended) >= MANY
            self._settle(self._ended[:BATCH_MAX])

    def close(self) -> None:
        """Log how much is left to the reaper."""
        self._collect()
        if left := len(self._ended) + len(self._unstarted):
            logger.error("unsettled", count=left)
        self._store.close()

    @property
    def _wanted(self) -> bool:
        """Whether something is left to settle, and the grace is not over."""
        if self._grace_ends is None:
            return True
        waiting = bool(self._ended or self._unstarted) or not self.inbox.empty()
        return waiting and time.monotonic() < self._grace_ends

    def _collect(self) -> None:
        """Take all that the senders have put into the inbox; wait for some if there is none."""
        idle = not (self._ended or self._unstarted) and self._grace_ends is None
        try:
            items = self.inbox.get(timeout=WAIT_S) if idle else self.inbox.get_nowait()
            while True:
                for item in items:
                    if isinstance(item, Ended):  # most are
                        self._ended.append(item)
                    else:
                        self._unstarted.append(item)
                items = self.inbox.get_nowait()
        except Empty:
            return

    def _release(self) -> None:
        """Release claims, with one call for each different delay."""
        by_delay = defaultdict(list)
        for item in self._unstarted:
            by_delay[item.delay_s].append(item)
        for delay_s, batch in by_delay.items():
            ours = self._release_batch(batch, delay_s)
            self._unstarted = [item for item in self._unstarted if item.delay_s != delay_s]
            self._slots.settled([item.claim.key for item in batch])
            with self._surviving():
                self._reports.released(batch, ours)

    def _release_batch(self, batch: list[Unstarted], delay_s: float) -> set[Key]:
        """Release a batch; return what was still ours. If that fails, release one by one."""
        try:
            return self._store.release([item.claim.key for item in batch], delay_s)
        except DatabaseAway:
            raise
        except Exception as error:
            if len(batch) > 1:
                return set[Key]().union(*[self._release_batch([item], delay_s) for item in batch])
            claim = batch[0].claim
            self._survived(error, **claim.log_fields)
            self._slots.lost([claim.key])
            return set()

    def _settle(self, batch: list[Ended]) -> None:
        """Settle a batch of what ended; rows that somebody has locked stay, and are tried again."""
        locked = self._settle_batch(batch)
        self._ended[: len(batch)] = locked
        keys = [item.claim.key for item in batch]
        if locked:
            still_locked = {item.claim.key for item in locked}
            keys = [key for key in keys if key not in still_locked]
        self._slots.settled(keys)
        self.settled += len(batch) - len(locked)
        if locked and len(locked) == len(self._ended):
            time.sleep(LOCKED_WAIT_S)

    def _settle_batch(self, batch: list[Ended]) -> list[Ended]:
        """Settle a batch; return what is locked and has to be tried again.

        What PostgreSQL refuses is logged by the store, and left to the reaper. If the call itself
        fails, because a value cannot even be sent to PostgreSQL, each item is settled alone, and if
        that fails too, as a broken attempt.
        """
        try:
            results = self._store.settle(batch)
        except DatabaseAway:
            raise
        except Exception as error:
            if len(batch) > 1:
                return [locked for item in batch for locked in self._settle_batch([item])]
            claim = batch[0].claim
            self._survived(error, **claim.log_fields)
            return [] if batch[0].verdict is BROKEN else [replace(batch[0], verdict=BROKEN)]
        with self._surviving():
            self._reports.settled(batch, results)
        keys = {key for key, settled in results.items() if settled.status == LOCKED}
        return [item for item in batch if item.claim.key in keys] if keys else []
