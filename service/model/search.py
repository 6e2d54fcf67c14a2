"""What is searched for, or chosen for a verb, and what is found."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from service.model.notification import Notification


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
