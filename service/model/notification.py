"""A notification and its attempts, as the ledger keeps and shows them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from msgspec import Struct


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


@dataclass(frozen=True, slots=True)
class Sentence:
    """One reason why a notification is where it is."""

    code: str  # a word that stays
    sentence: str
    until: datetime | None
    command: str | None  # that would help


class Accepted(Struct, frozen=True, gc=False):
    """One enqueued notification, committed. A Struct is cheap: each request makes one."""

    id: UUID
    created_at: datetime
    replayed: bool = False  # the same request was here before: both are the first one's


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the ledger knows of a notification that arrived in the inbox."""

    id: UUID
    channel: str
    recipient: str
    reference: str | None
