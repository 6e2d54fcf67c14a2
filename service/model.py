"""What a notification is and what can become of it: the words and rows of the ledger."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID


class Channel(StrEnum):
    """How a notification is delivered."""

    WEBHOOK = "webhook"
    EMAIL = "email"
    LOG = "log"


class PauseKind(StrEnum):
    """What can be paused."""

    DESTINATION = "destination"  # as workers call it: an origin, or the domain of a mail
    CHANNEL = "channel"
    PRODUCER = "producer"


class Status(StrEnum):
    """Where a notification stands. The last four are ends; `failed` can be redriven."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Outcome(StrEnum):
    """What came of one attempt."""

    SENT = "sent"
    TEMPORARY = "temporary"  # try again, as RETRY_SCHEDULE says
    PERMANENT = "permanent"  # trying again cannot help
    THROTTLED = "throttled"  # the receiver says "not now": try again when it says, or at its pace
    UNREACHABLE = "unreachable"  # no receiver took it: no connection, DNS, TLS, a refused login
    DEFERRED = "deferred"  # the receiver says "this one later": greylisting
    UNKNOWN = "unknown"  # it may have arrived: try again, with the same id
    EXPIRED = "expired"  # expires_at passed before the send began
    LEASE_EXPIRED = "lease_expired"  # its worker did not settle it; written by reap()


LANES = (0, 1, 2, 3)  # priorities: 0 urgent, 3 bulk
DEFAULT_PRIORITY = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A row of the table `attempts`: one attempt that has ended."""

    attempt: int
    started_at: datetime
    took_ms: int | None
    outcome: str
    code: str | None
    excerpt: str | None
    worker: str
    counted: bool  # whether it is one of max_attempts


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A row of the table `notifications`. In a list, payload and attempts are None."""

    id: UUID
    producer: str | None
    channel: str
    recipient: str
    payload: object
    priority: int
    status: str
    attempt: int
    max_attempts: int | None
    send_at: datetime | None
    due_at: datetime | None  # None: a pause keeps it
    expires_at: datetime | None
    reference: str | None
    idempotency_key: str | None
    is_test: bool
    created_at: datetime
    settled_at: datetime | None
    last_error_code: str | None
    last_error: str | None
    emptied_at: datetime | None
    transaction_id: str | None  # that enqueued it: an xid8, up to 2^64
    traceparent: str | None
    repeats: UUID | None  # the notification whose copy it is
    attempts: list[Attempt] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a notification stands, and what no list shows of it: its present or last claim."""

    producer: str | None
    status: str
    attempt: int
    due_at: datetime | None  # None: it is paused
    settled_at: datetime | None
    emptied_at: datetime | None
    first_claimed_at: datetime | None
    claimed_by: str | None  # a worker, host:pid
    lease_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A pause, and how many notifications wait for it, up to the limit of who asked."""

    id: int
    kind: str
    name: str
    channel: str | None  # of a destination
    reason: str | None
    paused_by: str
    paused_at: datetime
    resumed_at: datetime | None  # since then, those that waited come back
    waiting: int | None  # None: enough was counted for newer pauses


@dataclass(frozen=True, slots=True)
class Sentence:
    """One reason why a notification is where it is."""

    code: str  # a word that stays
    sentence: str
    until: datetime | None
    command: str | None  # that would help


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What a notification is after cancel() tried to cancel it."""

    id: UUID
    status: str  # "locked": another session is moving it at this moment
    settled_at: datetime | None
    was_cancelled: bool  # by this call, and not before


@dataclass(frozen=True, slots=True)
class SentAgain:
    """What became of a wish to send a notification again; `id` None: `state` is in the way."""

    id: UUID | None
    created_at: datetime | None
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is searched for: notifications that match every field that is not None."""

    producer: str | None = None
    status: str | None = None
    channel: str | None = None
    reference: str | None = None
    recipient: str | None = None
    destination: str | None = None  # as notify.destination_of() spells it
    last_error_code: str | None = None
    worker: str | None = None  # the beginning of its name: who sends it, or sent it once
    created_from: datetime | None = None
    created_until: datetime | None = None  # exclusive


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of what matches a filter, newest first.

    `following`: the cursor to go on with, None at the end; `back_to`: all until then was looked at.
    """

    rows: list[Notification]
    following: UUID | None = None
    looked: int = 0
    back_to: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A choice of notifications: those that match every field that is not None."""

    channel: str | None = None
    producer: str | None = None
    reference: str | None = None
    recipient: str | None = None
    destination: str | None = None  # as notify.destination_of() spells it
    created_from: datetime | None = None
    created_until: datetime | None = None  # exclusive


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetters(Choice):
    """A choice of dead letters."""

    ids: list[UUID] | None = None
    last_error_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUse:
    """Who uses a verb, and for what, as the audit keeps it; `actor` is a producer."""

    actor: str
    key_id: str | None
    verb: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CalledOff:
    """What a cancel of all that match did, or what it would do."""

    matched: int
    cancelled: int
    more: bool  # whether the limits left some out
    following: UUID | None  # the cursor to go on with, if there are more


@dataclass(frozen=True, slots=True)
class Probed:
    """A destination that is to be tried at once.

    `states`: why it is kept back; `kept_by`: how many workers do; `brought`: how many of its
    notifications fall due for it.
    """

    states: list[str]
    kept_by: int
    brought: int


@dataclass(frozen=True, slots=True)
class Redriven:
    """What a redrive did, or what it would do."""

    matched: int
    redriven: int
    expired: int  # left alone, because their expires_at has passed
    more: bool  # whether the limits left some out
    following: UUID | None  # the cursor to go on with, if there are more


@dataclass(frozen=True, slots=True)
class Erased:
    """What one step of erasing a person did, in rows, and what it had to leave."""

    matched: int
    erased: int
    cancelled: int  # of the erased: they were queued
    attempts: int
    keys: int
    sending: int
    locked: int  # another session is moving them at this moment
    refused: int  # a trigger or a constraint that is not ours holds them
    following: UUID | None  # the cursor to go on with, if there are more


@dataclass(frozen=True, slots=True)
class EmptiedPart:
    """What one step of emptying payloads did to a day."""

    partition: str
    emptied: int
    is_done: bool  # it came to the end of the day
    total: int  # emptied since the first step of this day
    left_over: int  # in this walk: they had not ended, or not long enough ago
    took: timedelta  # since the first step of this day


@dataclass(frozen=True, slots=True)
class Use:
    """A row of the audit: who used which verb, with which key."""

    id: int
    at: datetime
    actor: str
    key_id: str | None
    verb: str
    detail: dict[str, Any]


class Accepted(NamedTuple):
    """One enqueued notification, committed. A tuple, which is cheap: each request makes one."""

    id: UUID
    created_at: datetime
    replayed: bool = False  # the same request was here before: both are the first one's


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


@dataclass(frozen=True, slots=True)
class Vitals:
    """How PostgreSQL itself stands; sql/vitals.sql explains each, and when it is None."""

    notify_usage: float
    oldest_transaction_age: timedelta | None
    xmin_age: int | None
    notifications_dead: int
    attempts_dead: int
    notifications_bytes: int
    attempts_bytes: int
    days_ahead: int
    notifications_in_default: int
    attempts_in_default: int


@dataclass(frozen=True, slots=True)
class Folded:
    """How many notifications ended with `result`, and how many rows of `slo_deltas` said so."""

    channel: str
    priority: int
    result: str
    ended: int
    deltas: int


@dataclass(frozen=True, slots=True)
class PoolStats:
    """How a pool of connections stands; `waited_s` and `timeouts` only grow."""

    idle: int
    used: int
    waiting: int
    waited_s: float
    timeouts: int


@dataclass(frozen=True, slots=True)
class Checkup:
    """What checkup() returns; sql/checkup.sql explains each."""

    server_version_num: int
    now_at: datetime
    is_replica: bool
    days_ahead: int
    expired_leases: int
    in_default: int
    notify_usage: float
    oldest_transaction_age: timedelta | None
    finds_table: bool


@dataclass(frozen=True, slots=True)
class LockHolder:
    """Who holds one of our advisory locks.

    `is_ours`: a dispatcher does. `pid` None: a prepared transaction does, and no session.
    """

    pid: int | None
    role: str | None
    application: str | None
    is_ours: bool

    def __str__(self) -> str:
        if self.pid is None:
            return "a prepared transaction (see pg_prepared_xacts)"
        return f"pid {self.pid}, role {self.role}, application {self.application or '(none)'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the ledger knows of a notification that arrived in the inbox."""

    id: UUID
    channel: str
    recipient: str
    reference: str | None
