"""The first stage: the API reads a request, which shares an INSERT."""

from ops.dashboards.board import line, row
from ops.dashboards.looks import BLUE, GREEN, QUANTILE_COLOURS, RED, Looks
from ops.dashboards.panels import lines
from ops.dashboards.queries import batches, prom, quantiles
from ops.dashboards.road.stages import BATCH, HERE, IDLE, NOTIFY, RATE

ROW = row(
    "1 API: a request is read, and shares an INSERT",
    line(
        7,
        lines(
            "API: rate",
            "Requests by what was answered, without probes and scrapes. 4xx: their mistakes; 503: "
            "PostgreSQL did not take it in time. Refused unseen: compressed, a foreign Host, or a "
            "page of another origin. Turned away: CONNECTIONS_MAX were open. "
            "ops/RUNBOOK.md#enqueueunavailable",
            RATE,
            prom(
                "sum by (route, code) (rate(api_request_seconds_count"
                '{route!~"/metrics|/healthz|/readyz", instance=~"$instance"}'
                "[$__rate_interval])) > 0",
                "{{route}} {{code}}",
            ),
            prom(
                f"sum by (code) (rate(api_requests_refused_total{HERE}[$__rate_interval])) > 0",
                "refused: {{code}}",
            ),
            prom(
                f"sum(rate(api_connections_refused_total{HERE}[$__rate_interval]))",
                "connections turned away",
            ),
            stacked=True,
        ),
        lines(
            "API: batch",
            "Requests that shared one INSERT. Large batches are right under load. At 500 "
            "they are full: add API processes.",
            BATCH,
            *batches("api_enqueue_batch_rows", HERE),
        ),
        lines(
            "API: wait",
            "Duration of POST /notify, its commit included. Slow with small batches: "
            "PostgreSQL commits slowly. Slow with large ones: more comes than one process "
            "takes. ops/RUNBOOK.md#enqueueunavailable",
            Looks(unit="s", empty=IDLE, steps=[(None, GREEN), (1, RED)], colours=QUANTILE_COLOURS),
            *quantiles("api_request_seconds", NOTIFY),
        ),
        lines(
            "API: at once",
            "Connections of clients, requests being answered, and calls that wait for a connection "
            "of each pool. Waiting for long: PostgreSQL is slow, or a transaction holds a lock. "
            "ops/RUNBOOK.md#poolexhausted",
            Looks(
                unit="short", empty=IDLE, colours={"in progress": BLUE, "wait for notify-api": RED}
            ),
            prom(f"sum(api_requests_in_progress{HERE})", "in progress"),
            prom(f"sum by (pool) (db_pool_requests_waiting{HERE})", "wait for {{pool}}"),
            prom(f"sum(api_connections{HERE})", "connections"),
            prom(f"sum(api_requests_waiting{HERE})", "wait for an end"),
        ),
    ),
)
