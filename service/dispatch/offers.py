"""What the leading dispatcher remembers, so as not to offer ids twice or read due rows too often.

Pure: it decides which ids go into the ready set; ops/adr/0001-dispatch.md explains the rule.
"""

import math
from dataclasses import dataclass, field

from msgspec import Struct

from service.model.leader import Lane
from service.model.words import LANES

WINDOW_MAX = 10_000  # ids per lane in the ready set; more stays in PostgreSQL
WINDOW_LOW = 5_000  # a lane with fewer is filled again
GRACE_S = 2.0  # a row that is still queued this long after its id was seen is looked for again
OVERLAP_MS = 5_000.0  # rows may be committed up to this long after their due_at
TICK_S = 1.0  # how often lanes above their low mark are looked at
HEAD_SHARE = 20  # looks from the head take at most 1/20 of the time
REACH_MS = 3_600_000.0  # how far back to look where the head cannot be reached in time


@dataclass(frozen=True, slots=True)
class Plan:
    """Which lanes one look covers, and from where: each lane's floor, or None for its head."""

    lanes: list[int]
    floors: list[float | None]
    is_tick: bool


@dataclass(slots=True)
class Choice:
    """What to do with the ids of one look: each kind is a due_at (epoch ms) by id, by lane."""

    fresh: dict[int, dict[bytes, float]] = field(default_factory=dict)  # add
    again: dict[int, dict[bytes, float]] = field(default_factory=dict)  # add, and count as lost
    doubtful: dict[int, dict[bytes, float]] = field(default_factory=dict)  # see if still there


class Offered(Struct, frozen=True, gc=False):
    """What we last knew of one id: we added it, or saw it in the ready set, or did not see it.

    Tens of thousands are remembered, and the garbage collector need not look at any.
    """

    due_ms: float
    seen_at: float  # monotonic seconds
    gone: bool = False  # popped and not claimed yet, or lost


class Offers:
    """Floors per lane, and the ids offered lately: bounded by window and GRACE_S.

    An id may wait in the ready set for as long as workers are busy, so its age proves nothing. It
    is lost if it was gone from there, and GRACE_S later its row is still queued, unchanged.
    """

    def __init__(self) -> None:
        self.floors: dict[int, float | None] = dict.fromkeys(LANES)
        self._offered: dict[int, dict[bytes, Offered]] = {lane: {} for lane in LANES}
        self._pruned = dict.fromkeys(LANES, -math.inf)
        self._last_head = self._last_tick = -math.inf
        self._head_cost = 0.0
        self._heads_given_up = 0  # since one was reached
        self._doubts_head = False  # until a look from the floors has been taken
        self._guessed: set[int] = set()  # lanes whose floor no look has found
        self._reach_ms = REACH_MS

    def forget_floors(self) -> None:
        """Look from the head next time: we start, took the lead, or could not read Redis."""
        self.floors = dict.fromkeys(LANES)
        self._guessed = set()

    def flushed(self) -> None:
        """Count every id as gone: the ready set is not as we left it. Those still due are lost."""
        self.forget_floors()
        for lane, offered in self._offered.items():
            self._offered[lane] = {
                id: Offered(known.due_ms, -math.inf, gone=True) for id, known in offered.items()
            }

    def plan(self, cards: dict[int, int], now: float, *, may_tick: bool = True) -> Plan:
        """Plan a look: at the lanes below their low mark, and at all of them when it is time.

        `cards` are the ids that each lane of the ready set holds. `now` is monotonic seconds.
        `may_tick` False: it is not time for all of them, as that takes long.
        """
        is_tick = may_tick and now - self._last_tick > TICK_S
        lanes = [lane for lane in LANES if is_tick or cards[lane] < WINDOW_LOW]
        return Plan(lanes, self._floors(lanes, now) if lanes else [], is_tick)

    def looked(self, plan: Plan, began: float, ended: float) -> None:
        """Note that the look has been taken, and how long it took."""
        if None in plan.floors:
            self._reached_head(plan, ended - began)
        if plan.is_tick:
            self._last_tick = began
        self._doubts_head = False

    def _reached_head(self, plan: Plan, took_s: float) -> None:
        """Note how long the heads of some lanes took: that of another may be out of reach."""
        if len(plan.lanes) < len(LANES):
            self._head_cost = max(self._head_cost, took_s)
        else:
            self._head_cost = took_s
            self._heads_given_up = 0

    @property
    def is_head_out_of_reach(self) -> bool:
        """Whether looks from the head were given up, and not only the last one."""
        return self._heads_given_up > 1

    def took_too_long(self, plan: Plan, began: float, ended: float, now_ms: float) -> None:
        """Note that the look was given up; `now_ms` is the ledger's clock.

        A transaction that is open for hours keeps all entries of rows that were sent since, and the
        head is behind them; or the server is slow. The next look, from the floors, tells which: a
        head that is given up again after it has its time counted. A lane without a floor begins
        REACH_MS back, and later each time that this takes too long as well.
        """
        if None in plan.floors:
            self._heads_given_up += 1
            if self.is_head_out_of_reach and not self._doubts_head:
                self._head_cost = ended - began
            self._doubts_head = True
            self._reach_ms = REACH_MS
            self._guessed = {lane for lane in LANES if self.floors[lane] is None}
        else:
            self._reach_ms = max(OVERLAP_MS, self._reach_ms / 4)
        for lane in self._guessed:
            self.floors[lane] = now_ms - self._reach_ms

    def _floors(self, lanes: list[int], now: float) -> list[float | None]:
        """Return each lane's floor, or None for all of them when it is time to look at the head."""
        floors = [self.floors[lane] for lane in lanes]
        rests_s = max(TICK_S, HEAD_SHARE * self._head_cost)
        if None not in floors and (self._doubts_head or now - self._last_head < rests_s):
            return floors
        self._last_head = now
        return [None] * len(lanes)

    def choose(self, looks: list[Lane], cards: dict[int, int], now: float) -> Choice:
        """Split the due ids into fresh ones, those to offer again, and those to look for.

        `now` is monotonic seconds. No more is added than each lane has room for. An id with another
        due_at is fresh: it was retried, released or reaped since.
        """
        choice = Choice()
        for look in looks:
            lane = look.priority
            fresh, again, doubtful = self._split(look, max(0, WINDOW_MAX - cards[lane]), now)
            choice.fresh[lane], choice.again[lane], choice.doubtful[lane] = fresh, again, doubtful
        return choice

    def _split(self, look: Lane, room: int, now: float) -> tuple[dict[bytes, float], ...]:
        fresh: dict[bytes, float] = {}
        again: dict[bytes, float] = {}
        doubtful: dict[bytes, float] = {}
        offered = self._offered[look.priority]
        for id, due in zip(look.ids, look.due_ms, strict=True):
            known = offered.get(id)
            if known is None or known.due_ms != due:
                kind = fresh
            elif now - known.seen_at <= GRACE_S:
                continue
            else:
                kind = again if known.gone else doubtful
            if kind is doubtful or len(fresh) + len(again) < room:
                kind[id] = due
        return fresh, again, doubtful

    def remember(
        self, looks: list[Lane], choice: Choice, gone: dict[int, set[bytes]], now: float
    ) -> None:
        """Remember what was added. Call it after adding: a crash in between must offer again.

        `gone` are the doubtful ids that are not in the ready set.
        """
        for look in looks:
            lane = look.priority
            offered = self._offered[lane]
            for ids in (choice.fresh[lane], choice.again[lane]):
                offered.update((id, Offered(due, now)) for id, due in ids.items())
            for id, due in choice.doubtful[lane].items():
                offered[id] = Offered(due, now, gone=id in gone[lane])
            first = look.due_ms[0] if look.due_ms else look.now_ms
            self.floors[lane] = first - OVERLAP_MS
            self._guessed.discard(lane)
            if now - self._pruned[lane] > GRACE_S / 2:
                self._prune(look, now)

    def _prune(self, look: Lane, now: float) -> None:
        """Drop the ids that are neither young nor in this look of their lane: they were claimed."""
        still_due = set(look.ids)
        self._offered[look.priority] = {
            id: known
            for id, known in self._offered[look.priority].items()
            if now - known.seen_at <= GRACE_S or id in still_due
        }
        self._pruned[look.priority] = now
