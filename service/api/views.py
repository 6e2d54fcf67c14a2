"""What the API answers, as types: encoded here, and described from here in /openapi.json."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from service.model import Channel, Outcome, Status


class Links(msgspec.Struct, frozen=True):
    """Where to look next."""

    self: str


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """A notification that was accepted: it is committed."""

    id: UUID
    status: Literal["queued"] = "queued"
    created_at: datetime
    links: Links


class AttemptView(msgspec.Struct, frozen=True):
    """One ended attempt; `took_ms` is null when nobody knows.

    `counted` is false when the receiver said "not now": then it is none of `max_attempts`.
    """

    attempt: int
    started_at: datetime
    took_ms: int | None
    outcome: Outcome
    code: str | None
    excerpt: str | None
    worker: str
    counted: bool


class Summary(msgspec.Struct, kw_only=True):
    """A notification in a list."""

    id: UUID
    channel: Channel
    recipient: str
    priority: int
    status: Status
    attempt: int
    max_attempts: int | None
    send_at: datetime | None
    due_at: datetime
    expires_at: datetime | None
    reference: str | None
    created_at: datetime
    settled_at: datetime | None
    last_error_code: str | None
    last_error: str | None
    emptied_at: datetime | None
    links: Links


class Detail(Summary, kw_only=True):
    """A notification on its own, with its payload and its last 100 attempts, oldest first.

    With `emptied_at` the payload is gone since then, and null.
    """

    payload: Any
    attempts: list[AttemptView]
    has_older_attempts: bool


class PageLinks(msgspec.Struct, frozen=True):
    """Where the list goes on; null: this was the end."""

    next: str | None


class Page(msgspec.Struct, frozen=True):
    """Notifications, newest first. `next` is the cursor of the following page, null at the end.

    A page may be short, or even empty, and yet have a `next`: what a filter finds rarely is looked
    for among some 20,000 notifications at a time.
    """

    items: list[Summary]
    next: str | None
    links: PageLinks


class Cancellation(msgspec.Struct, frozen=True, kw_only=True):
    """A notification that was called off, now or before: it will not be sent."""

    id: UUID
    status: Literal["cancelled"] = "cancelled"
    settled_at: datetime | None
    links: Links


class RedriveReport(msgspec.Struct, frozen=True):
    """What became of a redrive, or what would.

    `matched`: failed ones that were meant, up to the limit. `redriven`: how many of them are queued
    again. `expired`: passed over on the way, as their expires_at has passed; they stay failed.
    Whose payload was emptied does not match.
    `more`: whether the limit left some out, or too many were looked at in one go: then `next` is
    the cursor that goes on from there.
    """

    matched: int
    redriven: int
    expired: int
    more: bool
    next: UUID | None


class Readiness(msgspec.Struct, frozen=True):
    """Whether work can be done, and what is missing if not."""

    status: Literal["ready", "not ready"]
    missing: list[str] = []
