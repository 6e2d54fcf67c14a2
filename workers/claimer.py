"""The claimer thread: claims what can start at once, and shares it out among the senders."""

import math
import time
from collections import Counter
from collections.abc import Sequence

from service import logs
from service.clock import Clock
from service.config import Settings
from service.errors import DatabaseAway
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
LEDGER_EVERY_S = 60.0  # between looks at which ledger this is, and at its clock
ASK_PAUSE_S = 1.0  # between questions for claims whose answer was lost


class Claimer(Loop):
    """Holds nothing back: what it claims is in a sender's hands when the turn ends."""

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
        self.store = store
        self.clock = clock
        self.look_at = -math.inf
        self.hints = hints
        self.slots = slots
        self.senders = senders
        self.kept: Ids = NOTHING  # popped, and PostgreSQL was away
        self.answers = False  # it did since the claim that failed
        self.lease_s = settings.lease_s
        self.doubt_ends = -math.inf  # until then a claim whose answer was lost may show up
        self.ask_at = -math.inf

    def turn(self) -> None:
        """Claim once; after an error nobody knows what we have."""
        try:
            self.claim_once()
        except Exception:
            self.doubt()
            raise

    def claim_once(self) -> None:
        """Claim at most what has a free slot, and hand it out."""
        if self.slots.doubt:
            self.slots.doubt = False
            self.doubt()
        if self.ask_at <= time.monotonic() < self.doubt_ends:
            self.give_back()
        if not self.store.is_connected or time.monotonic() >= self.look_at:
            self.look_at_ledger()
        room = min(CLAIM_MAX, self.slots.free(WAIT_S))
        if room <= 0:
            return
        ids = self.kept or self.hints.next(room)
        if ids == NOTHING:
            return
        claims, expired = self.claim(ids, room)
        if claims:
            self.hand_out(claims)
        with self.surviving():
            self.tell(claims, expired)
        if ids is None:
            self.hints.answered(len(claims))
            if not claims and not expired:
                self.stopping.wait(POLL_S)

    def look_at_ledger(self) -> None:
        """Learn which ledger this is, and its time: keys of Redis and signatures have them."""
        asked_at = time.monotonic()
        ledger, now_s = self.store.ledger()
        self.clock.read(now_s, asked_at)
        self.metrics.clock_skew.set(self.clock.skew_s())
        self.hints.use(ledger)
        self.look_at = asked_at + LEDGER_EVERY_S

    def claim(self, ids: Ids, room: int) -> tuple[list[Claim], list[Claim]]:
        """Claim; without an answer, nobody knows what we have.

        The ids are kept while PostgreSQL is away. If it answered in between and fails again, or
        fails in any other way, it is their fault: they are hints, and what is lost comes again.
        """
        try:
            found = self.store.claim(ids, room)
        except Exception as error:
            at_fault = not isinstance(error, DatabaseAway) or (ids is self.kept and self.answers)
            self.kept = NOTHING if at_fault else ids
            self.answers = False
            raise
        self.kept = NOTHING
        return found

    def doubt(self) -> None:
        """Ask the ledger what we have, now and as long as a claim may show up late."""
        self.ask_at, self.doubt_ends = -math.inf, time.monotonic() + self.lease_s

    def give_back(self) -> None:
        """Release what the ledger says we have, and we do not: else it waits for its lease.

        Asked more than once: a commit that waits for a replica, or for the disk, shows up later.
        """
        lost = self.slots.unknown(self.store.held())
        self.answers = True
        if lost:
            released = self.store.release(lost, 0.0)
            self.metrics.released.inc(len(released))
            logs.transitions(
                "released",
                (
                    {"notification_id": id, "attempt": attempt, "reason": "claim_unanswered"}
                    for id, attempt in released
                ),
            )
        self.ask_at = time.monotonic() + ASK_PAUSE_S

    def close(self) -> None:
        """Close both connections."""
        self.store.close()
        self.hints.close()

    def hand_out(self, claims: list[Claim]) -> None:
        """Take slots, and share the claims out; once we are to stop, the senders may be gone."""
        keys = [claim.key for claim in claims]
        if self.stopping.is_set():
            self.store.release(keys, 0.0)
            return
        self.slots.take(keys)
        waiting = list(claims)
        try:
            self.share_out(waiting)
        finally:
            if waiting:  # an error: nobody has got them
                self.slots.ended(len(waiting))
                self.slots.lost([claim.key for claim in waiting])

    def share_out(self, claims: list[Claim]) -> None:
        """Give to each sender as many as make all equally busy, until none is left."""
        loads = [sender.load for sender in self.senders]
        level = -(-(sum(loads) + len(claims)) // len(loads))
        for sender, load in zip(self.senders, loads, strict=True):
            part = claims[: max(0, level - load)]
            if part:
                sender.give(part)
                del claims[: len(part)]

    def tell(self, claims: list[Claim], expired: list[Claim]) -> None:
        """Count and log what came of the claim."""
        self.metrics.claim_batch.observe(len(claims))
        for channel, count in Counter(claim.channel for claim in claims).items():
            self.metrics.picked_up.labels(channel).inc(count)
        for claim in expired:
            self.metrics.expired.labels(claim.channel).inc()
        for event, found in (("claimed", claims), ("expired", expired)):
            if found:
                logs.transitions(event, (self.told(claim) for claim in found))

    def told(self, claim: Claim) -> logs.Row:
        """Say what a log line tells of a claim."""
        return {
            "notification_id": claim.id,
            "attempt": claim.attempt,
            "channel": claim.channel,
            "worker": self.store.worker,
        }
