"""Connections to PostgreSQL: the pools, and who waits for one."""

from ops.dashboards.board import line, row
from ops.dashboards.looks import PER_SECOND, Looks, calm_until, never
from ops.dashboards.panels import lines
from ops.dashboards.queries import prom, rate

ROW = row(
    "Connections to PostgreSQL",
    line(
        7,
        lines(
            "Connections",
            "Of each pool: used (lent out, or being opened) and idle.",
            Looks(unit="short", empty="No pools are scraped"),
            prom("sum by (pool, state) (db_pool_connections)", "{{pool}} {{state}}"),
            stacked=True,
        ),
        lines(
            "Calls that wait for a connection",
            "Now. Any for long: the pool is too small, or PostgreSQL is slow. "
            "ops/RUNBOOK.md#poolexhausted",
            Looks(unit="short", empty="No pools are scraped", steps=calm_until(1, 10)),
            prom("sum by (pool) (db_pool_requests_waiting)", "{{pool}}"),
        ),
        lines(
            "Time spent waiting",
            "Seconds that calls waited for a connection, per second: 1 is one call that "
            "always waits.",
            Looks(unit="short", empty="No pools are scraped", steps=calm_until(0.5, 2)),
            rate("db_pool_wait_seconds_total", by="pool"),
        ),
        lines(
            "Calls that got none",
            "Given up after 2 s, or because too many waited: the API answers 503. "
            "ops/RUNBOOK.md#enqueueunavailable",
            Looks(unit=PER_SECOND, empty="No pools are scraped", steps=never()),
            rate("db_pool_timeouts_total", by="pool"),
        ),
    ),
)
