"""The last hour of one destination, minute by minute: where the bars of its chart stand. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from service.console.chart import GAP, HEIGHT, WIDTH, Bar, bar, height, round_up
from service.ledger.destination_store import DestinationMinute

MINUTES = 60
PLACE = WIDTH / MINUTES


@dataclass(frozen=True, slots=True)
class Hour:
    """What the template draws. `most`: the sends that the height of the drawing stands for."""

    bars: list[Bar]
    most: int
    minutes: list[DestinationMinute]
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def sends(self) -> int:
        """All of them."""
        return sum(m.sends for m in self.minutes)

    @property
    def failures(self) -> int:
        """Those that failed."""
        return sum(m.failures for m in self.minutes)


def hour(counted: Sequence[DestinationMinute], now_at: datetime) -> Hour:
    """Place a bar for each of the last 60 minutes that are over, the oldest first."""
    ends = now_at.replace(second=0, microsecond=0)
    by_minute = {m.minute: m for m in counted}
    minutes = [
        by_minute.get(at) or DestinationMinute(at, 0, 0)
        for at in (ends - timedelta(minutes=n) for n in range(MINUTES, 0, -1))
    ]
    most = round_up(max(m.sends for m in minutes))
    bars = [bar for place, m in enumerate(minutes) for bar in bars_of(m, place, most)]
    return Hour(bars, most, minutes)


def bars_of(minute: DestinationMinute, place: int, most: int) -> list[Bar]:
    """Draw a minute: what failed stands on what was taken."""
    x, width = PLACE * (place + GAP / 2), PLACE * (1 - GAP)
    taken = height(minute.sends - minute.failures, most)
    failed = height(minute.failures, most)
    drawn = bar("out", x, 0, width, taken), bar("failed", x, taken, width, failed)
    return [b for b in drawn if b.height]
