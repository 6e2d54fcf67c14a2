"""What the leading dispatcher remembers, so that it neither offers twice nor walks too far.

Pure: it decides which ids go into the ready set; ops/adr/0001-dispatch.md says why so.
"""

import math
from dataclasses import dataclass, field

from service.model import LANES
from service.store import Lane

WINDOW_MAX = 10_000          # ids per lane in the ready set; more stays in PostgreSQL
WINDOW_LOW = 5_000           # a lane with fewer is filled again
GRACE_S = 2.0                # offered longer ago and still queued: it may have been lost
OVERLAP_MS = 5_000.0         # rows may be committed this much later than their due_at


@dataclass(slots=True)
class Choice:
    """What one look adds to the ready set: due_at (epoch ms) by id, by lane."""

    fresh: dict[int, dict[bytes, float]] = field(default_factory=dict)
    again: dict[int, dict[bytes, float]] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to add."""
        return not any(self.fresh.values()) and not any(self.again.values())


class Offers:
    """Floors per lane, and the ids offered lately: bounded by window and GRACE_S."""

    def __init__(self) -> None:
        self.floors: dict[int, float | None] = dict.fromkeys(LANES)
        self._offered: dict[int, dict[bytes, tuple[float, float]]] = {lane: {} for lane in LANES}
        self._pruned = dict.fromkeys(LANES, -math.inf)

    def forget_floors(self) -> None:
        """Look from the head next time: we start, took the lead, or lost sight of Redis."""
        self.floors = dict.fromkeys(LANES)

    def flushed(self) -> None:
        """Count whatever comes back as lost: the ready set is not as we left it."""
        self.forget_floors()
        for lane, offered in self._offered.items():
            self._offered[lane] = {id: (due, -math.inf) for id, (due, _) in offered.items()}

    def choose(self, looks: list[Lane], cards: dict[int, int], now: float) -> Choice:
        """Split what was found into fresh ids and ids to offer again, within each lane's room.

        `now` is monotonic seconds. An id with another due_at is fresh: it was retried, released or
        reaped since. One offered less than GRACE_S ago is in the set or in a worker's hands.
        """
        choice = Choice()
        for look in looks:
            offered = self._offered[look.priority]
            room = max(0, WINDOW_MAX - cards[look.priority])
            fresh: dict[bytes, float] = {}
            again: dict[bytes, float] = {}
            for id, due in zip(look.ids, look.due_ms, strict=True):
                if len(fresh) + len(again) == room:
                    break
                known = offered.get(id)
                if known is None or known[0] != due:
                    fresh[id] = due
                elif now - known[1] > GRACE_S:
                    again[id] = due
            choice.fresh[look.priority] = fresh
            choice.again[look.priority] = again
        return choice

    def remember(self, looks: list[Lane], choice: Choice, now: float) -> None:
        """Remember what was added, after it was: a crash between the two must offer again."""
        for look in looks:
            lane = look.priority
            for ids in (choice.fresh[lane], choice.again[lane]):
                self._offered[lane].update((id, (due, now)) for id, due in ids.items())
            first = look.due_ms[0] if look.due_ms else look.now_ms
            self.floors[lane] = first - OVERLAP_MS
            if now - self._pruned[lane] > GRACE_S / 2:
                self._prune(look, now)

    def _prune(self, look: Lane, now: float) -> None:
        """Drop the lane's ids that are neither young nor in this look: they were claimed."""
        seen = set(look.ids)
        self._offered[look.priority] = {
            id: known
            for id, known in self._offered[look.priority].items()
            if now - known[1] <= GRACE_S or id in seen
        }
        self._pruned[look.priority] = now
