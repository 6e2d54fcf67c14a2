"""The last hour of one destination, minute by minute: where the bars of its chart stand. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from service.ledger.destination_store import DestinationMinute

MINUTES = 60
PLACE, HEIGHT, BAR = 10, 120, 8  # units of the drawing: a minute's place, its height, a bar's width
HEIGHT_MIN = 2.0  # of a bar that stands for at least one
STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Bar:
    """What was sent in a minute, as a rectangle. `kind`: sent or failed, which stands on it."""

    kind: str
    x: int
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Hour:
    """What the template draws. `most`: the sends that the height of the drawing stands for."""

    bars: list[Bar]
    most: int
    minutes: list[DestinationMinute]
    width: int = PLACE * MINUTES
    height: int = HEIGHT
    bar_width: int = BAR

    @property
    def sends(self) -> int:
        """All of them."""
        return sum(m.sends for m in self.minutes)

    @property
    def failures(self) -> int:
        """Those that failed."""
        return sum(m.failures for m in self.minutes)


def hour(counted: Sequence[DestinationMinute], now_at: datetime) -> Hour:
    """Place a bar for each of the last 60 minutes that are over; what was not counted is none."""
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
    """Draw a minute: failures on top of the others, none of them too small to be seen."""
    bars: list[Bar] = []
    top = float(HEIGHT)
    for kind, number in (("sent", minute.sends - minute.failures), ("failed", minute.failures)):
        if number > 0:
            height = max(round(HEIGHT * number / most, 1), HEIGHT_MIN)
            top = max(round(top - height, 1), 0.0)
            bars.append(Bar(kind, place * PLACE, top, height))
    return bars


def round_up(number: int) -> int:
    """Return the next number that reads well: 1, 2 or 5, and zeros."""
    size = 1
    while True:
        for step in STEPS:
            if step * size >= number:
                return step * size
        size *= 10
