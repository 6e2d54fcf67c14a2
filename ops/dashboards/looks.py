"""How values appear: colours, units, steps."""

from dataclasses import dataclass, field

Steps = list[tuple[float | None, str]]

GREEN, ORANGE, RED, GREY, BLUE = "green", "orange", "red", "text", "blue"
# What a panel says instead of figures, when it has none.
NO_FIGURES = "No figures: is Prometheus scraping?"
NOBODY_LEADS = "No figures: nobody leads"
NO_READY_SET = "No figures: nobody leads, or Redis is away"

PER_SECOND = "count:/s"  # "1.2K /s"; an SI prefix would say "500 m/s" for a half
QUANTILE_COLOURS = {"p50": GREEN, "p95": ORANGE, "p99": RED}
FAILURES = {  # every outcome of an attempt but sent
    "temporary": ORANGE,
    "throttled": "yellow",
    "unreachable": "super-light-orange",
    "deferred": "light-yellow",
    "unknown": "purple",
    "permanent": RED,
    "expired": "dark-orange",
    "lease_expired": "dark-red",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """How values appear."""

    unit: str
    empty: str  # what is said when there are none
    # From which value on which colour.
    steps: Steps = field(default_factory=lambda: [(None, GREEN)])
    words: dict[str, tuple[str, str]] = field(default_factory=dict)  # a value to its words, colour
    colours: dict[str, str] = field(default_factory=dict)  # a series' name to its colour
    decimals: int | None = None
    top: float | None = None  # where the axis ends; None: where the values do
    bottom: float = 0  # where it begins; above 0, lower values still move it


def calm_until(orange: float, red: float) -> Steps:
    """Green below `orange`, red from `red` on."""
    return [(None, GREEN), (orange, ORANGE), (red, RED)]


def calm_from(orange: float, green: float) -> Steps:
    """Red below `orange`, green from `green` on."""
    return [(None, RED), (orange, ORANGE), (green, GREEN)]


def never() -> Steps:
    """Red as soon as there is any."""
    return [(None, GREEN), (1e-9, RED)]
