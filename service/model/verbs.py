"""What a verb did, and what the audit keeps of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


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
class Use:
    """A row of the audit: who used which verb, with which key."""

    id: int
    at: datetime
    actor: str
    key_id: str | None
    verb: str
    detail: dict[str, Any]
