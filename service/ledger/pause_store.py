"""Stand-in until the branch of pauses is merged."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Pause:
    id: int
    kind: str
    name: str
    channel: str | None
    reason: str | None
    paused_by: str
    paused_at: datetime
    resumed_at: datetime | None
    waiting: int | None


class PauseStore:
    def __init__(self, connection):
        self._connection = connection

    async def list(self):
        return []
WAITING_MAX = 10_000
