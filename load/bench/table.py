"""Rows of figures, as a table and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure beside its ceiling (or floor, where less is better), of the same run.

    `asked` is said of the figure, `asked_ratio` of the ratio; both, one or none of them.
    """

    what: str
    figure: float
    unit: str  # "/s": more is better; all others ("ms", "MB", "bytes"): less is
    asked: float | None = None
    asked_ratio: float | None = None
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
        pairs = ((self.figure, self.asked), (self.ratio, self.asked_ratio))
        asked = [(value, wanted) for value, wanted in pairs if wanted is not None]
        if not asked:
            return None
        return all(v <= wanted if self.less_is_better else v >= wanted for v, wanted in asked)


TITLES = ("what", "measured", "asked", "ceiling", "ratio", "asked", "", "the ceiling is")
TO_THE_RIGHT = range(1, 6)


def middle(runs: Sequence[Sequence[Row]]) -> list[Row]:
    """Keep of each row the run whose ratio is in the middle, with all that was seen in it."""
    return [
        sorted(same, key=lambda row: row.ratio)[len(same) // 2] for same in zip(*runs, strict=True)
    ]


def table(rows: Sequence[Row]) -> str:
    """Lay the rows out, figures to the right."""
    cells = [TITLES, *(line(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(TITLES))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in TO_THE_RIGHT else cell.ljust(width)
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
        figure(row.ceiling, row.unit),
        f"{row.ratio:.2f}",
        f"{sign} {row.asked_ratio:.2f}" if row.asked_ratio is not None else "",
        {True: "ok", False: "NO", None: ""}[row.good],
        row.ceiling_is + (f" ({row.note})" if row.note else ""),
    )


def figure(value: float, unit: str) -> str:
    """Spell a figure with two digits or more."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 1 else 3
    number = f"{value:,.{digits}f}"
    return f"{number}/s" if unit == "/s" else f"{number} {unit}".rstrip()


def as_json(rows: Sequence[Row]) -> list[dict[str, object]]:
    """Give everything there is to each row."""
    return [{**asdict(row), "ratio": row.ratio, "good": row.good} for row in rows]
