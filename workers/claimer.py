"""The claimer thread: claims what can start at once, and shares it out among the senders."""

import math
import time
from collections import Counter
from collections.abc import Sequence

from service.clock import Clock
from service.config.settings import Settings
from service.errors import DatabaseAway
from service.logs import logs
from service.logs.copied import Copied
from service.metrics import WorkerMetrics
from workers.claim import Claim
from workers.hints import NOTHING, Hints, Ids
from workers.loop import Loop
from workers.sender import Sender
from workers.slots import Slots
from workers.store import Store

WAIT_S = 0.25
POLL_S = 0.05  # between empty claims without the ready set
CLAIM_MAX = 1000
# While more is due than slots are free, claims wait for a quarter of the slots, but not for long:
# each call costs PostgreSQL and us as much as some fifty rows.
SHARE_OF_SLOTS = 4
GATHER_S = 0.01
LEDGER_EVERY_S = 60.0  # between looks at which ledger this is, at its home and at its clock
COPY_EVERY_S = 5.0  # the same while it is a copy: somebody may have adopted it
ASK_PAUSE_S = 1.0  # between questions for claims whose answer was lost


class Claimer(Loop):
    """Keeps no claims: when a turn ends, the senders have all that it claimed."""

    def __init__(
        self,
        settings: Settings,
        metrics: WorkerMetrics,
        *,
        store: Store,
        clock: Clock,
        hints: Hints,
        slots: Slots,
        senders: Sequence[Sender],
    ) -> None:
        super().__init__("claimer", metrics)
        self._store = store
        self._clock = clock
        self._copied = Copied(settings.environment, metrics.ledger_is_copy)
        self._look_at = -math.inf
        self._hints = hints
        self._slots = slots
        self._senders = senders
        self._kept: Ids = NOTHING  # ids popped from Redis while PostgreSQL was away
        self._has_answered = False  # whether PostgreSQL has answered since the last claim failed
        self._was_full = False  # whether the last claim filled all slots that were free
        self._lease_s = settings.lease_s
        self._doubt_ends = -math.inf  # until then, a claim whose answer was lost may be committed
        self._ask_at = -math.inf

    def turn(self) -> None:
        """Claim once. After an error, ask the ledger later what we hold."""
        try:
            self._claim_once()
        except Exception:
            self._doubt()
            raise

    def close(self) -> None:
        """Close both connections."""
        self._store.close()
        self._hints.close()

    def _claim_once(self) -> None:
        """Claim at most what has a free slot, and hand it to the senders."""
        if self._slots.is_shut and self._slots.free(WAIT_S) <= 0:
            self._store.close()  # it may be the very connection that the settler lacks
            return
        if self._slots.pop_doubt():
            self._doubt()
        if self._ask_at <= time.monotonic() < self._doubt_ends:
            self._give_back()
        if not self._store.is_connected or time.monotonic() >= self._look_at:
            self._look_at_ledger()
        if self._copied.is_copy:  # its ids in Redis may be the original's: they are left there
            self._stopping.wait(WAIT_S)
            return
        room = self._room()
        if room <= 0:
            return
        ids = self._kept or self._hints.next(room)
        if ids == NOTHING:
            return
        claims, expired = self._claim(ids, room)
        self._was_full = len(claims) == room
        if claims:
            self._hand_out(claims, are_urgent=bool(ids) and self._hints.are_urgent)
        with self._surviving():
            self._record(claims, expired)
        if ids is None:
            self._hints.answered(len(claims))
            if not claims and not expired:
                self._stopping.wait(POLL_S)

    def _room(self) -> int:
        """Return how many may be claimed, waiting for one; while more is due, for a good number."""
        free = self._slots.free(WAIT_S)
        if free > 0 and self._was_full:
            free = self._slots.free(GATHER_S, self._slots.most // SHARE_OF_SLOTS)
        return min(CLAIM_MAX, free)

    def _look_at_ledger(self) -> None:
        """Read which ledger this is, its home, and its clock for Redis's keys and signatures."""
        asked_at = time.monotonic()
        self._hints.use(self._read_clock())
        self._copied.see(self._store.home())
        if self._copied.is_copy:
            self._store.notice_copy()
        self._look_at = asked_at + (COPY_EVERY_S if self._copied.is_copy else LEDGER_EVERY_S)

    def _read_clock(self) -> str:
        """Read the ledger's clock; return which ledger this is."""
        asked_at = self._clock.monotonic()
        ledger, now_s = self._store.ledger()
        self._clock.take_reading(now_s, asked_at)
        self._metrics.clock_skew.set(self._clock.skew_s())
        return ledger

    def _claim(self, ids: Ids, room: int) -> tuple[list[Claim], list[Claim]]:
        """Claim; return what to send, and what had expired.

        The ids are kept while PostgreSQL is away. If it answered in between and fails again, or if
        it fails in any other way, the ids are to blame and are dropped: they are only hints, and
        the dispatcher offers lost ids again.
        """
        if self._clock.has_moved():  # what is claimed now is signed with the time
            kept, self._kept = self._kept, ids
            self._read_clock()
            self._kept = kept
        try:
            claimed = self._store.claim(ids, room)
        except Exception as error:
            is_second = ids is self._kept and self._has_answered
            at_fault = is_second or not isinstance(error, DatabaseAway)
            self._kept = NOTHING if at_fault else ids
            self._has_answered = False
            raise
        self._kept = NOTHING
        return claimed

    def _doubt(self) -> None:
        """Ask the ledger what we hold: now, and while a claim may still be committed late."""
        self._ask_at, self._doubt_ends = -math.inf, time.monotonic() + self._lease_s

    def _give_back(self) -> None:
        """Release what the ledger says we hold and we do not know of: nobody would send it.

        Asked more than once: a commit that waits for a replica, or for the disk, shows up later,
        and what somebody has locked can be released when it is not.
        """
        lost = self._slots.unknown(self._store.held(self._slots.in_hand))
        self._has_answered = True
        if lost:
            answers = self._store.release(lost, 0.0)
            released = [key for key, is_back in answers.items() if is_back]
            self._metrics.released.inc(len(released))
            logs.transitions(
                "released",
                (
                    {"notification_id": id, "attempt": attempt, "reason": "claim_unanswered"}
                    for id, attempt in released
                ),
            )
        self._ask_at = time.monotonic() + ASK_PAUSE_S

    def _hand_out(self, claims: list[Claim], *, are_urgent: bool) -> None:
        """Take slots, share the claims out; when stopping, release them: senders may be gone."""
        keys = [claim.key for claim in claims]
        if self._stopping.is_set():
            self._store.release(keys, 0.0)
            return
        self._slots.take(keys)
        waiting = list(claims)
        try:
            self._share_out(waiting, are_urgent=are_urgent)
        finally:
            if waiting:  # an error: no sender has these
                self._slots.ended(len(waiting))
                self._slots.lost([claim.key for claim in waiting])

    def _share_out(self, claims: list[Claim], *, are_urgent: bool) -> None:
        """Give each sender enough to make all equally busy; remove that from the list."""
        loads = [sender.load for sender in self._senders]
        level = -(-(sum(loads) + len(claims)) // len(loads))
        for sender, load in zip(self._senders, loads, strict=True):
            part = claims[: max(0, level - load)]
            if part:
                sender.give(part, is_urgent=are_urgent)
                del claims[: len(part)]

    def _record(self, claims: list[Claim], expired: list[Claim]) -> None:
        """Count and log what came of the claim."""
        self._metrics.claim_batch.observe(len(claims))
        for channel, count in Counter(claim.channel for claim in claims).items():
            self._metrics.picked_up.labels(channel).inc(count)
        for claim in expired:
            self._metrics.expired.labels(claim.channel).inc()
        for event, rows in (("claimed", claims), ("expired", expired)):
            if rows:
                logs.transitions(event, (self._log_row(claim) for claim in rows))

    def _log_row(self, claim: Claim) -> logs.Row:
        """Make the log row of a claim."""
        if claim.traceparent is None:  # most have none: one dict, not two
            return {
                "notification_id": claim.id,
                "attempt": claim.attempt,
                "channel": claim.channel,
                "worker": self._store.worker,
            }
        return {**claim.log_fields, "worker": self._store.worker}
