"""The chart of what came in and went out, by minute: where its bars stand. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.model.figures import Minute

WIDTH, HEIGHT = 600, 120  # units of the drawing, which is stretched to its place
GAP = 0.2  # of a minute's place, between two minutes
HEIGHT_MIN = 2.0  # of a bar that stands for at least one


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle of the drawing. `kind`: in, out or failed."""

    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What the template draws. `most`: what the height of the drawing stands for, at least 1.

    `came_in`: in the minutes of which it is known; `unknown`: how many of them it is not.
    """

    bars: list[Bar]
    most: int
    minutes: Sequence[Minute]
    came_in: int
    unknown: int
    went_out: int
    failed: int
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def is_empty(self) -> bool:
        """Return whether nothing happened in all of these minutes."""
        return not (self.came_in or self.went_out)


def chart(minutes: Sequence[Minute]) -> Chart:
    """Place two bars for each minute, oldest first: what came in, and what went out.

    What failed is the upper part of what went out.
    """
    most = round_up(max((max(m.came_in or 0, m.went_out) for m in minutes), default=0))
    place = WIDTH / max(len(minutes), 1)
    width = place * (1 - GAP) / 2
    bars: list[Bar] = []
    for number, m in enumerate(minutes):
        x = place * (number + GAP / 2)
        failed = height(m.failed, most)
        out = height(m.went_out - m.failed, most)
        bars += [
            bar("in", x, 0, width, height(m.came_in or 0, most)),
            bar("out", x + width, 0, width, out),
            bar("failed", x + width, out, width, failed),
        ]
    return Chart(
        bars=[b for b in bars if b.height],
        most=most,
        minutes=minutes,
        came_in=sum(m.came_in or 0 for m in minutes),
        unknown=sum(m.came_in is None for m in minutes),
        went_out=sum(m.went_out for m in minutes),
        failed=sum(m.failed for m in minutes),
    )


def bar(kind: str, x: float, above: float, width: float, height: float) -> Bar:
    """Make a bar that stands `above` the ground."""
    return Bar(kind, round(x, 1), round(HEIGHT - above - height, 1), round(width, 1), height)


def height(number: int, most: int) -> float:
    """Return how high a bar is: none is invisible that stands for something."""
    return max(round(HEIGHT * number / most, 1), HEIGHT_MIN) if number > 0 else 0.0


def round_up(number: int) -> int:
    """Return the next number that reads well: 1, 2 or 5, and zeros."""
    size = 1
    while True:
        for step in (1, 2, 5):
            if step * size >= number:
                return step * size
        size *= 10
