"""Rows of figures, as a table and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure beside its ceiling (or floor, where less is better), of the same run."""

    what: str
    figure: float
    unit: str  # "/s": more is better; "ms", "MB": less is
    asked: float | None  # what the issue asks for
    ceiling: float
    ceiling_is: str
    note: str = ""

    @property
    def less_is_better(self) -> bool:
        """Whether the ceiling is a floor."""
        return self.unit != "/s"

    @property
    def ratio(self) -> float:
        """The figure as a share of its ceiling."""
        return self.figure / self.ceiling

    @property
    def good(self) -> bool | None:
        """Whether it is what was asked for; None: nothing was."""
        if self.asked is None:
            return None
        return self.figure <= self.asked if self.less_is_better else self.figure >= self.asked

    def better_than(self, other: "Row") -> bool:
        """Compare two runs of one scenario."""
        return self.figure < other.figure if self.less_is_better else self.figure > other.figure


TITLES = ("what", "measured", "asked", "", "ceiling", "ratio", "the ceiling is")


def table(rows: Sequence[Row]) -> str:
    """Lay the rows out, figures to the right."""
    cells = [TITLES, *(line(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(TITLES))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in (1, 2, 4, 5) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )


def line(row: Row) -> tuple[str, ...]:
    """Spell one row."""
    sign = "≤" if row.less_is_better else "≥"
    return (
        row.what,
        figure(row.figure, row.unit),
        f"{sign} {figure(row.asked, row.unit)}" if row.asked is not None else "",
        {True: "ok", False: "NO", None: ""}[row.good],
        figure(row.ceiling, row.unit),
        f"{row.ratio:.2f}",
        row.ceiling_is + (f" ({row.note})" if row.note else ""),
    )


def figure(value: float, unit: str) -> str:
    """Spell a figure with three digits or more."""
    number = f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
    return f"{number} {unit}" if unit != "/s" else f"{number}/s"


def as_json(row: Row) -> dict[str, object]:
    """Give everything there is to one row."""
    return {**asdict(row), "ratio": row.ratio, "good": row.good}
