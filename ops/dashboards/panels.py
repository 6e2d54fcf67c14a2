"""Panels: from what a reader wants to know to what Grafana's JSON wants."""

from collections.abc import Sequence
from dataclasses import dataclass

from ops.dashboards.looks import Looks
from ops.dashboards.queries import Json, prom


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel without its place. `json` is Grafana's, but for id and gridPos."""

    json: Json


def stat(title: str, about: str, looks: Looks, target: Json, *, text: bool = False) -> Panel:
    """Show one figure on a coloured ground; `text`: the first field is words, not a number.

    It is always of now: the last one of a range would stay long after its source has gone.
    """
    if "expr" in target:
        target = target | {"instant": True, "range": False}
    options = {
        "colorMode": "background",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": {
            "calcs": ["lastNotNull"],
            "fields": "/.*/" if text else "",
            "values": text,
        },
        "textMode": "auto",
        "wideLayout": True,
    }
    return panel("stat", title, about, looks, targets=[target], options=options)


def bars(title: str, about: str, looks: Looks, *targets: Json) -> Panel:
    """Compare a few figures of now by the lengths of their bars."""
    options = {
        "displayMode": "basic",
        "orientation": "horizontal",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "showUnfilled": True,
        "valueMode": "color",
    }
    return panel("bargauge", title, about, looks, targets=targets, options=options)


def lines(
    title: str,
    about: str,
    looks: Looks,
    *targets: Json,
    stacked: bool = False,
    logarithmic: bool = False,
    span: str = "",
) -> Panel:
    """Draw figures over time; steps of more than one colour are drawn as dashed lines.

    `span`: a time range of its own, such as "30d".
    """
    options = {
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    custom: Json = {
        "drawStyle": "line",
        "fillOpacity": 30 if stacked else 8,
        "lineWidth": 1,
        "scaleDistribution": {"type": "log", "log": 10} if logarithmic else {"type": "linear"},
        "showPoints": "auto",
        "spanNulls": False,
        "stacking": {"group": "A", "mode": "normal" if stacked else "none"},
        "thresholdsStyle": {"mode": "dashed" if len(looks.steps) > 1 else "off"},
    }
    made = panel("timeseries", title, about, looks, targets=targets, options=options)
    defaults = made.json["fieldConfig"]["defaults"]
    defaults |= {"color": {"mode": "palette-classic"}, "custom": custom}
    if looks.bottom:
        custom["axisSoftMin"] = looks.bottom
    elif not logarithmic:
        defaults["min"] = 0
    if span:
        made.json["timeFrom"] = span
    return made


def heatmap(title: str, about: str, looks: Looks, histogram: str, labels: str = "") -> Panel:
    """Draw a histogram's buckets over time."""
    target = prom(f"sum by (le) (increase({histogram}_bucket{labels}[$__rate_interval]))", "{{le}}")
    target["format"] = "heatmap"
    options = {
        "calculate": False,
        "cellGap": 1,
        "color": {"mode": "scheme", "scheme": "Oranges", "steps": 32, "exponent": 0.5,
                  "fill": "dark-orange", "reverse": False, "scale": "exponential"},
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "tooltip": {"mode": "single", "showColorScale": False, "yHistogram": False},
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": looks.unit},
    }  # fmt: skip
    return panel("heatmap", title, about, looks, targets=[target], options=options)


def table(
    title: str,
    about: str,
    looks: Looks,
    target: Json,
    columns: dict[str, Json] | None = None,
    *,
    hidden: Sequence[str] = (),
) -> Panel:
    """List rows. `columns`: what is special about a column, as properties of its field."""
    options = {"cellHeight": "sm", "showHeader": True}
    made = panel("table", title, about, looks, targets=[target], options=options)
    made.json["fieldConfig"]["overrides"] += [
        override(name, properties) for name, properties in (columns or {}).items()
    ]
    if hidden:
        excluded = {"excludeByName": dict.fromkeys(hidden, True), "indexByName": {},
                    "renameByName": {}}  # fmt: skip
        made.json["transformations"] = [{"id": "organize", "options": excluded}]
    return made


def log_lines(title: str, about: str, looks: Looks, target: Json) -> Panel:
    """List lines of the log, oldest first: they tell a story."""
    options = {
        "dedupStrategy": "none",
        "enableLogDetails": True,
        "prettifyLogMessage": False,
        "showCommonLabels": False,
        "showLabels": False,
        "showTime": True,
        "sortOrder": "Ascending",
        "wrapLogMessage": True,
    }
    return panel("logs", title, about, looks, targets=[target], options=options)


def panel(
    kind: str, title: str, about: str, looks: Looks, *, targets: Sequence[Json], options: Json
) -> Panel:
    """Put a panel together; its targets are named A, B, C in their order."""
    defaults: Json = {
        "color": {"mode": "thresholds"},
        "mappings": [mapping(looks.words)] if looks.words else [],
        "noValue": looks.empty,
        "thresholds": {
            "mode": "absolute",
            "steps": [{"color": colour, "value": value} for value, colour in looks.steps],
        },
        "unit": looks.unit,
    }
    if looks.decimals is not None:
        defaults["decimals"] = looks.decimals
    if looks.top is not None:
        defaults["max"] = looks.top
        if not looks.bottom:
            defaults["min"] = 0
    overrides = [
        override(name, {"color": {"fixedColor": colour, "mode": "fixed"}})
        for name, colour in looks.colours.items()
    ]
    return Panel(
        json={
            "type": kind,
            "title": title,
            "description": about,
            "datasource": targets[0]["datasource"],
            "targets": [
                target | {"refId": chr(ord("A") + place)} for place, target in enumerate(targets)
            ],
            "fieldConfig": {"defaults": defaults, "overrides": overrides},
            "options": options,
        }
    )


def coloured(words: dict[str, str]) -> Json:
    """Write a column's words in their colours."""
    options = {
        word: {"color": colour, "index": at} for at, (word, colour) in enumerate(words.items())
    }
    return {
        "custom.cellOptions": {"type": "color-text"},
        "mappings": [{"type": "value", "options": options}],
    }


def mapping(words: dict[str, tuple[str, str]]) -> Json:
    """Say words instead of values."""
    return {
        "type": "value",
        "options": {
            value: {"color": colour, "index": place, "text": text}
            for place, (value, (text, colour)) in enumerate(words.items())
        },
    }


def override(name: str, properties: Json) -> Json:
    """Say what is special about the field of this name."""
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": id, "value": value} for id, value in properties.items()],
    }
