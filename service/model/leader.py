"""What the leading dispatcher reads and counts."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Lane:
    """What is due in one lane; times are by the database's clock."""

    priority: int
    ids: list[bytes]  # 16 bytes each, by due_at
    due_ms: list[float]  # epoch ms, one per id
    next_due_in: timedelta | None
    now_ms: float


@dataclass(frozen=True, slots=True)
class Reaped:
    """One attempt whose lease had passed, and what its notification became."""

    id: UUID
    attempt: int
    status: str  # "refused": PostgreSQL refuses to move it


@dataclass(frozen=True, slots=True)
class Gauges:
    """How many notifications wait or are being sent; counts above 100,000 are estimates."""

    queued: int
    sending: int
    is_estimate: bool
    oldest_due_age: timedelta | None


@dataclass(frozen=True, slots=True)
class Lanes:
    """The same by lane; `quiet`: queued on quiet days, for later, in any lane."""

    queued: list[int]  # of each of LANES
    quiet: int
    sending: int
    is_estimate: bool
    oldest_due_age: timedelta | None


@dataclass(frozen=True, slots=True)
class Folded:
    """How many notifications ended with `result`, and how many rows of `slo_deltas` said so."""

    channel: str
    priority: int
    result: str
    ended: int
    deltas: int


@dataclass(frozen=True, slots=True)
class EmptiedPart:
    """What one step of emptying payloads did to a day."""

    partition: str
    emptied: int
    is_done: bool  # it came to the end of the day
    total: int  # emptied since the first step of this day
    left_over: int  # in this walk: they had not ended, or not long enough ago
    took: timedelta  # since the first step of this day
