"""What the API answers, as types: encoded here, and described from here in /openapi.json."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from service.http.problems import ProblemDocument
from service.model.pause import PauseKind
from service.model.words import Channel, Outcome, Status


class Links(msgspec.Struct, frozen=True):
    """Where to look next."""

    self: str


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """A notification that was accepted: it is committed."""

    id: UUID
    status: Literal["queued"] = "queued"
    created_at: datetime
    links: Links


class BatchItem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one notification of a batch: it has an id, or a problem.

    `index`: its place in the request, from 0; blank lines of NDJSON are not counted. `replayed`: it
    was here before, under its idempotency key; the id is the first one's.
    """

    index: int
    id: UUID | None = None
    status: Literal["queued"] | None = None
    created_at: datetime | None = None
    links: Links | None = None
    replayed: Literal[True] | None = None
    problem: ProblemDocument | None = None


class BatchReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch, item by item, in the order of the request."""

    accepted: int
    refused: int
    items: list[BatchItem]


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
    """A notification in a list.

    Without scope read:payload the recipient is masked, `a…@host`, and of a receiver's answer only
    the code is shown: `last_error` is null. `due_at` is null while a pause keeps it queued.
    `transaction_id`: PostgreSQL's, of the transaction that enqueued it; a text, as it may be larger
    than what JavaScript holds exactly. `repeats`: of which notification this is a copy.
    """

    id: UUID
    producer: str | None
    channel: Channel
    recipient: str
    priority: int
    status: Status
    attempt: int
    max_attempts: int | None
    send_at: datetime | None
    due_at: datetime | None
    expires_at: datetime | None
    reference: str | None
    idempotency_key: str | None
    is_test: bool
    created_at: datetime
    settled_at: datetime | None
    last_error_code: str | None
    last_error: str | None
    emptied_at: datetime | None
    transaction_id: str | None
    traceparent: str | None
    repeats: UUID | None
    links: Links


class Detail(Summary, kw_only=True):
    """A notification on its own, with its payload and its last 100 attempts, oldest first.

    Without scope read:payload the payload is null; with `emptied_at` it is gone since then.
    """

    payload: Any
    attempts: list[AttemptView]
    has_older_attempts: bool


class Reason(msgspec.Struct, frozen=True):
    """One reason why a notification is where it is.

    `code` is for programs, and more may come. `until`: the time that the sentence names, if that is
    to come. `command`: the one that would help, if any does.
    """

    code: str
    sentence: str
    until: datetime | None
    command: str | None


class Explanation(msgspec.Struct, frozen=True):
    """Why a notification is where it is, the most important reason first."""

    id: UUID
    reasons: list[Reason]
    links: Links


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


class DestinationView(msgspec.Struct, frozen=True):
    """What went to one destination in the last hour; a minute is seen some 20 s after its end.

    `destination`: the origin of a URL, the domain of an address; empty: all others of its channel,
    and of `email` also the mail server of all. `failures`: attempts that did not send. `p50_ms`,
    `p99_ms`: how long half of the attempts took at most, and 99 of 100. `state`: what workers keep
    back from it now: `breaker` (it fails), `pace` (it throttles), `share` (it is slow, or has not
    answered lately), `name` (its name is being looked up), `url` (one URL of it asked for a pause,
    or refused all); null: nothing. More words may come.
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
    state: str | None
    state_since: datetime | None
    state_until: datetime | None
    state_code: str | None


class DestinationList(msgspec.Struct, frozen=True):
    """Destinations, the busiest first."""

    items: list[DestinationView]


class CancelReport(msgspec.Struct, frozen=True):
    """What became of a cancel of all that match, or what would.

    `matched`: queued ones that were meant, up to the limit. `cancelled`: how many of them were
    called off; of the others somebody was moving some at this moment, or a trigger of the
    database's own keeps them. `more`: whether the limit left some out, or too many were looked at
    in one go: then `next` is the cursor that goes on from there.
    """

    matched: int
    cancelled: int
    more: bool
    next: UUID | None


class ProbeReport(msgspec.Struct, frozen=True, kw_only=True):
    """What will happen to a destination that is to be tried at once.

    `states`: why it is kept back: breaker, pace or url, and more words may come. `workers`: how
    many keep it back. `brought`: how many of its notifications fall due for it.
    """

    channel: str
    destination: str
    states: list[str]
    workers: int
    brought: int
    sentence: str


class KeyView(msgspec.Struct, frozen=True, kw_only=True):
    """An API key, without its secret. Null: all channels or recipients, no limit, no end.

    `last_used_at` is some minutes old at most.
    """

    id: str
    producer: str
    kind: str
    scopes: list[str]
    channels: list[str] | None
    recipients: list[str] | None
    rate_per_s: float | None
    burst: int | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class KeyMade(KeyView, frozen=True, kw_only=True):
    """A new API key. `key` is what clients send, and is shown this once."""

    key: str


class KeyList(msgspec.Struct, frozen=True):
    """The API keys, newest first; the last 1000."""

    items: list[KeyView]


class PauseView(msgspec.Struct, frozen=True, kw_only=True):
    """What is paused, since when, and why.

    `channel`: of a destination. `waiting`: notifications that are queued and would be sent by now;
    exact up to 10,000, where it stays, and null when 100,000 were counted for newer ones.
    `resumed_at`: since then they come back; when the last one has, the pause leaves the list.
    """

    id: int
    kind: PauseKind
    name: str
    channel: Channel | None
    reason: str | None
    paused_by: str
    paused_at: datetime
    resumed_at: datetime | None
    waiting: int | None


class PauseList(msgspec.Struct, frozen=True):
    """What is paused, newest first."""

    items: list[PauseView]


class Readiness(msgspec.Struct, frozen=True):
    """Whether work can be done, and what is missing if not.

    Status `degraded`: everything is accepted, and nothing is sent; `hint` says why, and what to do.
    """

    status: Literal["ready", "degraded", "not ready"]
    missing: list[str] = []
    hint: str | msgspec.UnsetType = msgspec.UNSET
