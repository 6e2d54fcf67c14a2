"""A dashboard: rows of panels on Grafana's grid, its variables, and what happened meanwhile."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ops.dashboards.panels import LOKI, POSTGRES, PROMETHEUS, Json, Panel
from service.model import Channel

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


def choice(name: str, label: str, values: Mapping[str, str]) -> Json:
    """Choose among values with their names; all unless said otherwise.

    A fixed list without an allValue: All becomes each value, which suits PromQL and SQL alike.
    """
    options = [{"selected": True, "text": "All", "value": "$__all"}]
    options += [{"selected": False, "text": text, "value": value} for value, text in values.items()]
    return {
        "type": "custom",
        "name": name,
        "label": label,
        "query": ", ".join(f"{text} : {value}" for value, text in values.items()),
        "multi": True,
        "includeAll": True,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "options": options,
    }


def label_values(name: str, label: str, query: str) -> Json:
    """Choose among the values that Prometheus has for a label; all unless said otherwise."""
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": PROMETHEUS,
        "query": {"qryType": 5, "query": query, "refId": name},
        "definition": query,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "refresh": 2,
        "sort": 1,
    }


def textbox(name: str, label: str, about: str) -> Json:
    """Let somebody type."""
    return {
        "type": "textbox",
        "name": name,
        "label": label,
        "description": about,
        "query": "",
        "current": {"selected": True, "text": "", "value": ""},
        "options": [{"selected": True, "text": "", "value": ""}],
    }


def found(name: str, label: str, query: str) -> Json:
    """Choose among what PostgreSQL finds; the first unless said otherwise."""
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": POSTGRES,
        "query": query.strip(),
        "definition": query.strip(),
        "multi": False,
        "includeAll": False,
        "current": {"selected": True, "text": "", "value": ""},
        "refresh": 2,
        "sort": 0,
    }


CHANNELS = {channel: channel for channel in Channel}
LANE_NAMES = {"0": "0 urgent", "1": "1", "2": "2 default", "3": "3 bulk"}

CHANNEL = choice("channel", "Channel", CHANNELS)
PRIORITY = choice("priority", "Priority", LANE_NAMES)
INSTANCE = label_values("instance", "Instance", 'label_values(up{job="notify"}, instance)')

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

ANNOTATIONS: list[Json] = [
    {
        "builtIn": 1,
        "datasource": {"type": "grafana", "uid": "-- Grafana --"},
        "enable": True,
        "hide": True,
        "iconColor": "rgba(0, 211, 255, 1)",
        "name": "Annotations & Alerts",
        "type": "dashboard",
    },
    {
        # The value is the moment itself, so a start is marked where it was, whatever the step.
        "name": "Deploys and restarts",
        "datasource": PROMETHEUS,
        "enable": True,
        "iconColor": "blue",
        "expr": '1000 * process_start_time_seconds{job="notify"}'
        " * on (instance) group_left (version, schema) notify_build_info",
        "useValueForTime": True,
        "step": "1m",
        "titleFormat": "{{role}} started",
        "textFormat": "{{instance}}: version {{version}}, schema {{schema}}",
        "tagKeys": "role,version",
    },
    {
        "name": "Operator verbs",
        "datasource": PROMETHEUS,
        "enable": True,
        "iconColor": "purple",
        "expr": "sum by (verb) (increase(api_operator_rows_total[1m])) > 0",
        "step": "1m",
        "titleFormat": "{{verb}}",
        "textFormat": "Turn on the annotation 'Operator verbs, by line' for what was moved",
        "tagKeys": "verb",
    },
    {
        "name": "Operator verbs, by line",
        "datasource": LOKI,
        "enable": False,
        "iconColor": "purple",
        "expr": '{app="notify"} |~ `"event": ?"(cancelled|redriven)"` | json',
        "titleFormat": "{{event}}",
        "textFormat": "{{notification_id}}",
        "tagKeys": "event",
    },
]
