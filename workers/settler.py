"""The settler thread: settles and releases in batches of what came while the last call ran."""

import time
from collections import defaultdict
from collections.abc import Sequence
from itertools import chain
from queue import Empty, SimpleQueue

from loguru import logger
from msgspec.structs import replace

from service.config.settings import Settings
from service.errors import DatabaseAway, TookTooLong
from service.metrics import WorkerMetrics
from service.process.batch_size import BatchSize
from workers.claim import Ended, Key, Outbox, Unstarted
from workers.loop import Loop
from workers.outcome import BROKEN
from workers.reports import Reports
from workers.rollups import Rollups
from workers.slots import Slots
from workers.store import LOCKED, Store, Unmoved

WAIT_S = 1.0
BATCH_MAX = 1000
# While many sends end, they are settled by the hundred: each call costs as much as some fifty rows.
MANY = 32
ENOUGH = 256
GATHER_S = 0.005
LOCKED_WAIT_S = 0.02
PROBES = 1  # claims beside those in hand, until one is settled
GROWTH = 4  # of batches, once they are settled in time again


class Settler(Loop):
    """Keeps what it could not settle; the slots bound how much that can be.

    Nothing is claimed while it cannot settle: when the leases end, others send the same again, and
    so would this worker, as long as it goes on claiming.

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
        self._settle_size = BatchSize(BATCH_MAX, growth=GROWTH)
        self._release_size = BatchSize(BATCH_MAX, growth=GROWTH)
        self._has_failed = False  # whether no attempt has been settled since a settle failed
        self._are_many = False  # whether many ended while the last call ran
        self._grace_ends: float | None = None

    def start(self) -> None:
        """Start; nothing is claimed before there is a connection to settle with."""
        self._slots.allow(0)
        super().start()

    def finish(self, grace_ends: float) -> None:
        """End when all is settled, or the grace is over (called when the senders are done)."""
        self._grace_ends = grace_ends
        self.stop()
        self.inbox.put([])  # it may be waiting for some

    def turn(self) -> None:
        """Settle and release what waits; let nothing be claimed while that fails."""
        try:
            if self._is_idle:
                self._stand_by()
            self._settle_all()
        except Unmoved:  # one odd row must not stop the others
            raise
        except Exception:
            self._slots.allow(0)
            raise

    def _settle_all(self) -> None:
        """Settle and release what waits, or what comes within a moment.

        What cannot be released must not keep from being settled what would be sent again.
        """
        self._collect()
        if self._are_many and 0 < len(self._ended) < ENOUGH and self._grace_ends is None:
            time.sleep(GATHER_S)
            self._collect()
        try:
            if self._ended:
                self._are_many = len(self._ended) >= MANY
                self._settle(self._ended[: self._settle_size.rows])
        finally:
            if self._unstarted:
                self._release()

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

    @property
    def _is_idle(self) -> bool:
        """Whether it may wait for something to settle."""
        return not (self._ended or self._unstarted) and self._grace_ends is None

    def _stand_by(self) -> None:
        """Let claims in once there is a connection to settle with.

        What failed may have become stale meanwhile. That it can settle again, one has to show.
        """
        self._store.open()
        self._slots.allow(self._slots.in_hand + PROBES if self._has_failed else None)

    def _can_settle(self) -> None:
        """Let all claims in again."""
        if self._has_failed or self._slots.is_shut:
            self._has_failed = False
            self._slots.allow()

    def _collect(self) -> None:
        """Take all that the senders have put into the inbox; wait for some if there is none."""
        try:
            items = self.inbox.get(timeout=WAIT_S) if self._is_idle else self.inbox.get_nowait()
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
        """Release claims, in batches of one delay each; what PostgreSQL did not answer stays.

        One that takes too long by itself is left to the reaper: it must not shut the worker.
        """
        batches = batches_of(self._unstarted, self._release_size.rows)
        try:
            while batches:
                self._release_batch(batches[-1])
                batches.pop()
            self._release_size.answered()
        except TookTooLong:
            self._release_size.took_too_long(len(batches[-1]))
            if len(batches[-1]) == 1:
                [given_up] = batches.pop()
                self._slots.settled([given_up.claim.key])
            raise
        finally:
            self._unstarted = list(chain.from_iterable(batches))

    def _release_batch(self, batch: list[Unstarted]) -> None:
        """Release a batch. What somebody has locked is left to the claimer, which asks for it."""
        answers = self._released(batch)
        keys = [item.claim.key for item in batch]
        self._slots.settled([key for key in keys if key in answers])
        if missing := [key for key in keys if key not in answers]:
            self._slots.lost(missing)
        with self._surviving():
            self._reports.released(batch, {key for key, is_back in answers.items() if is_back})

    def _released(self, batch: list[Unstarted]) -> dict[Key, bool]:
        """Release a batch as the store does. If that fails, release one by one."""
        try:
            return self._store.release([item.claim.key for item in batch], batch[0].delay_s)
        except DatabaseAway:
            raise
        except Exception as error:
            if len(batch) > 1:
                return dict(chain.from_iterable(self._released([item]).items() for item in batch))
            self._survived(error, **batch[0].claim.log_fields)
            return {}

    def _settle(self, batch: list[Ended]) -> None:
        """Settle a batch of what ended; rows that somebody has locked are tried again, later."""
        try:
            locked = self._settle_batch(batch)
        except TookTooLong:
            if len(batch) == 1:  # the others must not wait for this one
                self._ended.append(self._ended.pop(0))
            raise
        del self._ended[: len(batch)]
        self._ended += locked  # behind the others: they must not wait for who has locked these
        keys = [item.claim.key for item in batch]
        if locked:
            still_locked = {item.claim.key for item in locked}
            keys = [key for key in keys if key not in still_locked]
        self._slots.settled(keys)
        self.settled += len(batch) - len(locked)
        if len(locked) == len(batch):
            time.sleep(LOCKED_WAIT_S)

    def _settle_batch(self, batch: list[Ended]) -> list[Ended]:
        """Settle a batch; return what is locked and has to be tried again.

        What PostgreSQL refuses is logged by the store, and left to the reaper. If the call itself
        fails, because a value cannot even be sent to PostgreSQL, each item is settled alone, and if
        that fails too, as a broken attempt.
        """
        try:
            results = self._store.settle(batch)
        except Unmoved:
            self._can_settle()
            raise
        except DatabaseAway as away:
            self._has_failed = True
            if isinstance(away, TookTooLong):
                self._settle_size.took_too_long(len(batch))
            raise
        except Exception as error:
            if len(batch) > 1:
                return [locked for item in batch for locked in self._settle_batch([item])]
            claim = batch[0].claim
            self._survived(error, **claim.log_fields)
            if batch[0].verdict is not BROKEN:
                return [replace(batch[0], verdict=BROKEN)]
            self._has_failed = True
            self._slots.allow(PROBES)
            return []
        self._settle_size.answered()
        if results:  # not all were stale
            self._can_settle()
        with self._surviving():
            self._reports.settled(batch, results)
        keys = {key for key, settled in results.items() if settled.status == LOCKED}
        return [item for item in batch if item.claim.key in keys] if keys else []


def batches_of(items: Sequence[Unstarted], most: int) -> list[list[Unstarted]]:
    """Share them out among batches of one delay each, and of so many at most."""
    by_delay = defaultdict(list)
    for item in items:
        by_delay[item.delay_s].append(item)
    return [
        alike[first : first + most]
        for alike in by_delay.values()
        for first in range(0, len(alike), most)
    ]
