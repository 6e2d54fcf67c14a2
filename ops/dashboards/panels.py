"""Panels: from what a reader wants to know to what Grafana's JSON wants."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
Steps = list[tuple[float | None, str]]

PROMETHEUS = {"type": "prometheus", "uid": "prometheus"}
LOKI = {"type": "loki", "uid": "loki"}
POSTGRES = {"type": "grafana-postgresql-datasource", "uid": "postgres"}

GREEN, ORANGE, RED, GREY, BLUE = "green", "orange", "red", "text", "blue"
PER_SECOND = "count:/s"  # "1.2K /s"; an SI prefix would say "500 m/s" for a half
QUANTILES = (0.5, 0.95, 0.99)
QUANTILE_COLOURS = {"p50": GREEN, "p95": ORANGE, "p99": RED}
FAILURES = {  # every outcome of an attempt but sent
    "temporary": ORANGE,
    "throttled": "yellow",
    "unreachable": "light-orange",
    "deferred": "light-yellow",
    "unknown": "purple",
    "permanent": RED,
    "expired": "dark-orange",
    "lease_expired": "dark-red",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel without its place. `json` is Grafana's, but for id and gridPos."""

    json: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """How values appear."""

    unit: str
    empty: str  # what is said when there are none
    steps: Steps = field(
        default_factory=lambda: [(None, GREEN)]
    )  # from which value on which colour
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


def prom(expr: str, legend: str = "", *, now: bool = False, table: bool = False) -> Json:
    """Ask Prometheus; `now`: only how it stands at the end of the time range."""
    target = {
        "datasource": PROMETHEUS,
        "editorMode": "code",
        "expr": expr,
        "instant": now or table,
        "range": not (now or table),
    }
    if table:
        return target | {"format": "table"}
    return target | {"legendFormat": legend}


def rate(counter: str, legend: str = "", *, by: str = "") -> Json:
    """Ask how fast a counter grows, in all or by a label, whose values then are the legend."""
    grouped = f"sum by ({by}) " if by else "sum"
    expr = f"{grouped}(rate({counter}[$__rate_interval]))"
    return prom(expr, legend or (f"{{{{{by}}}}}" if by else ""))


def quantiles(histogram: str, labels: str = "", by: str = "") -> list[Json]:
    """Ask for median, p95 and p99 of a histogram; with `by` only for p95, by that label."""
    buckets = f"{histogram}_bucket{labels}[$__rate_interval]"
    if by:
        expr = f"histogram_quantile(0.95, sum by (le, {by}) (rate({buckets})))"
        return [prom(expr, f"p95 {{{{{by}}}}}")]
    expr = f"sum by (le) (rate({buckets}))"
    return [prom(f"histogram_quantile({q}, {expr})", f"p{q * 100:g}") for q in QUANTILES]


def batches(histogram: str, labels: str) -> list[Json]:
    """Ask for the mean rows of a batch, and p99: at least 1, where a quantile says half a row."""
    total, number = (
        f"sum(rate({histogram}_{end}{labels}[$__rate_interval]))" for end in ("sum", "count")
    )
    p99 = f"sum by (le) (rate({histogram}_bucket{labels}[$__rate_interval]))"
    return [
        prom(f"{total} / {number}", "mean"),
        prom(f"clamp_min(histogram_quantile(0.99, {p99}), 1)", "p99"),
    ]


def sql(text: str, *, series: bool = False) -> Json:
    """Ask PostgreSQL, as notify_reader; `series`: the column `time` is an axis."""
    return {
        "datasource": POSTGRES,
        "editorMode": "code",
        "format": "time_series" if series else "table",
        "rawQuery": True,
        "rawSql": text.strip(),
    }


def loki(expr: str) -> Json:
    """Ask Loki for lines."""
    return {
        "datasource": LOKI,
        "editorMode": "code",
        "expr": expr,
        "maxLines": 1000,
        "queryType": "range",
    }


def stat(title: str, about: str, looks: Looks, target: Json, *, text: bool = False) -> Panel:
    """One figure on a coloured ground; `text`: the first field is words, not a number.

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
    """Figures over time; steps of more than one colour are drawn as dashed lines.

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
    """A histogram's buckets over time."""
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
    """Rows. `columns`: what is special about a column, as properties of its field."""
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
    """Lines of the log, oldest first: they tell a story."""
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
