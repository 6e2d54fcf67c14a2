"""Queries: what Prometheus, PostgreSQL and Loki are asked."""

from typing import Any

Json = dict[str, Any]

PROMETHEUS = {"type": "prometheus", "uid": "prometheus"}
LOKI = {"type": "loki", "uid": "loki"}
POSTGRES = {"type": "grafana-postgresql-datasource", "uid": "postgres"}

QUANTILES = (0.5, 0.95, 0.99)


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
