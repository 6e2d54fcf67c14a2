"""How things stand, and stood lately: what the console and GET /destinations show."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Now:
    """How things stand. All of `at` to `oldest_due_s` are None if no dispatcher ever led.

    `at`: when the leader looked, `age_s` ago. `failed`: in the last hour; `in_time`, `late`: sent
    today (UTC), within 10 s and later.
    """

    at: datetime | None
    age_s: float | None
    leader: str | None
    queued: list[int] | None  # of each of LANES
    quiet: int | None
    sending: int | None
    is_estimate: bool | None
    oldest_due_s: float | None  # None as well: nothing was due
    failed: int
    in_time: int
    late: int


@dataclass(frozen=True, slots=True)
class Minute:
    """What came in and went out in one minute. `came_in` None: not known."""

    minute: datetime
    came_in: int | None
    went_out: int
    failed: int


@dataclass(frozen=True, slots=True)
class Destination:
    """What went to one destination in the last hour; sql/destinations.sql explains each.

    `destination` "": all others of its channel.
    """

    channel: str
    destination: str
    sends: int
    failures: int
    per_min: float
    p50_ms: float | None
    p99_ms: float | None
    last_code: str | None
    last_failed_at: datetime | None
    state: str | None  # breaker, pace, name, share; None: nothing is kept back
    state_since: datetime | None
    state_until: datetime | None
    state_code: str | None


@dataclass(frozen=True, slots=True)
class DestinationMinute:
    """What one destination took in one minute. `p50_ms`, `p99_ms` None: nothing was sent."""

    minute: datetime
    sends: int
    failures: int
    p50_ms: float | None
    p99_ms: float | None
    last_code: str | None


@dataclass(frozen=True, slots=True)
class LivingWorker:
    """A worker that was heard of in the last 30 s. `leases` None: too many to count."""

    worker: str
    host: str
    version: str
    slots: int
    in_flight: int
    per_s: float
    beat_at: datetime
    leases: int | None
