"""A pause, and what can be paused."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class PauseKind(StrEnum):
    """What can be paused."""

    DESTINATION = "destination"  # as workers call it: an origin, or the domain of a mail
    CHANNEL = "channel"
    PRODUCER = "producer"


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
