"""Grafana's part, for tests: the queries of the dashboards, with values for their variables."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.model.words import Channel

ROOT = Path(__file__).resolve().parent.parent
DASHBOARDS = {
    path.name: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "ops/grafana/dashboards").glob("*.json"))
}
ALL: dict[str, Sequence[str]] = {
    "channel": list(Channel),
    "priority": ["0", "1", "2", "3"],
    "instance": [".*"],
}


@dataclass(frozen=True, slots=True)
class Query:
    """One query, of a panel or an annotation; `text` as the file has it."""

    dashboard: str
    title: str
    source: str
    """The data source's uid."""
    text: str
    is_instant: bool

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.title}"


def panels(dashboard: str) -> list[dict[str, Any]]:
    """Give a dashboard's panels, without its headings."""
    return [panel for panel in DASHBOARDS[dashboard]["panels"] if panel["type"] != "row"]


def panel(dashboard: str, title: str) -> dict[str, Any]:
    """Give one panel."""
    (match,) = (each for each in panels(dashboard) if each["title"] == title)
    return match


def queries(source: str) -> list[Query]:
    """Give every query to a data source."""
    return [query for name in DASHBOARDS for query in queries_of(name) if query.source == source]


def queries_of(dashboard: str) -> Iterator[Query]:
    for panel in panels(dashboard):
        for target in panel["targets"]:
            text = target.get("expr") or target["rawSql"]
            uid = target["datasource"]["uid"]
            yield Query(dashboard, panel["title"], uid, text, target.get("instant", False))
    for note in DASHBOARDS[dashboard]["annotations"]["list"]:
        if "expr" in note:
            uid = note["datasource"]["uid"]
            yield Query(dashboard, note["name"], uid, note["expr"], False)
    for variable in DASHBOARDS[dashboard]["templating"]["list"]:
        if variable["type"] == "query":
            match = re.fullmatch(r"label_values\((.*), \w+\)", variable["definition"])
            text = match[1] if match else variable["query"]
            yield Query(dashboard, variable["name"], variable["datasource"]["uid"], text, True)


def promql(text: str, rate_interval: str = "1m") -> str:
    """Put Grafana's values into PromQL; every variable is All."""
    text = text.replace("$__rate_interval", rate_interval)
    return re.sub(r"\$(\w+)", lambda match: as_regex(ALL[match[1]]), text)


def as_regex(values: Sequence[str]) -> str:
    return values[0] if len(values) == 1 else f"({'|'.join(values)})"


def sql(text: str, **values: str) -> str:
    """Put values into SQL as the format `sqlstring` does; a variable without a value is All."""

    def quoted(match: re.Match[str]) -> str:
        chosen = [values[match[1]]] if match[1] in values else ALL[match[1]]
        return ",".join("'" + value.replace("'", "''") + "'" for value in chosen)

    return re.sub(r"\$\{(\w+):sqlstring\}", quoted, text)
