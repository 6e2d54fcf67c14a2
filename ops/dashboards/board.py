"""A dashboard: rows of panels on Grafana's grid, and links to the others."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ops.dashboards.annotations import ANNOTATIONS
from ops.dashboards.panels import Panel
from ops.dashboards.queries import Json

WIDTH = 24  # columns of Grafana's grid
SCHEMA_VERSION = 41


@dataclass(frozen=True, slots=True)
class Line:
    """Panels side by side, equally wide."""

    height: int
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True)
class Row:
    """A heading, and the lines under it."""

    title: str
    lines: Sequence[Line]


def line(height: int, *panels: Panel) -> Line:
    """Put panels side by side."""
    return Line(height, panels)


def row(title: str, *lines: Line) -> Row:
    """Put lines under a heading."""
    return Row(title, lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One dashboard. `uid` is its address, so it never changes."""

    uid: str
    title: str
    about: str
    rows: Sequence[Row]
    variables: Sequence[Json] = field(default_factory=list)
    since: str = "now-3h"
    refresh: str = "30s"

    def json(self) -> Json:
        """Lay it out as Grafana loads it."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.about,
            "tags": ["notify"],
            "schemaVersion": SCHEMA_VERSION,
            "version": 1,
            "editable": True,
            "graphTooltip": 1,
            "refresh": self.refresh,
            "time": {"from": self.since, "to": "now"},
            "timepicker": {},
            "timezone": "browser",
            "annotations": {"list": ANNOTATIONS},
            "templating": {"list": list(self.variables)},
            "links": LINKS,
            "panels": list(placed(self.rows)),
        }


def placed(rows: Sequence[Row]) -> Iterator[Json]:
    """Give every heading and panel its place and its id."""
    y = 0
    for heading in rows:
        yield {
            "type": "row",
            "id": panel_id(f"row {heading.title}"),
            "title": heading.title,
            "collapsed": False,
            "gridPos": {"h": 1, "w": WIDTH, "x": 0, "y": y},
            "panels": [],
        }
        y += 1
        for strip in heading.lines:
            width = WIDTH // len(strip.panels)
            for place, panel in enumerate(strip.panels):
                where = {"h": strip.height, "w": width, "x": place * width, "y": y}
                yield {"id": panel_id(panel.json["title"]), **panel.json, "gridPos": where}
            y += strip.height


def panel_id(title: str) -> int:
    """Number a panel by its title, so that links to it outlive a change of its place."""
    return zlib.crc32(title.encode()) % 1_000_000 + 1


LINKS: list[Json] = [
    {
        "type": "dashboards",
        "title": "notify",
        "tags": ["notify"],
        "asDropdown": False,
        "icon": "external link",
        "includeVars": False,
        "keepTime": True,
        "targetBlank": False,
        "tooltip": "",
        "url": "",
    }
]
