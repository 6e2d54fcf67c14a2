"""The last hour of one destination, minute by minute: where the bars of its chart stand. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.console.chart import GAP, HEIGHT, WIDTH, Bar, bar, height, round_up
from service.model.figures import DestinationMinute

MINUTES = 59  # that are over
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


def hour(minutes: Sequence[DestinationMinute]) -> Hour:
    """Place a bar for each minute that is over, the oldest first; the last one is not."""
    over = list(minutes[:-1])
    most = round_up(max((m.sends for m in over), default=0))
    bars = [bar for place, m in enumerate(over) for bar in bars_of(m, place, most)]
    return Hour(bars, most, over)


def bars_of(minute: DestinationMinute, place: int, most: int) -> list[Bar]:
    """Draw a minute: what failed stands on what was taken."""
    x, width = PLACE * (place + GAP / 2), PLACE * (1 - GAP)
    taken = height(minute.sends - minute.failures, most)
    failed = height(minute.failures, most)
    drawn = bar("out", x, 0, width, taken), bar("failed", x, taken, width, failed)
    return [b for b in drawn if b.height]
