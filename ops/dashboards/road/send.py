"""The fourth stage: a worker sends."""

from ops.dashboards.board import line, row
from ops.dashboards.looks import GREEN, ORANGE, PER_SECOND, RED, Looks
from ops.dashboards.panels import lines
from ops.dashboards.queries import prom, quantiles, rate
from ops.dashboards.road.stages import CHOSEN, HERE, IDLE

ROW = row(
    "4 Worker: the sends",
    line(
        7,
        lines(
            "Sends: rate",
            "Notifications that became sent, by worker. One lower than its neighbours: "
            "look at its process. All low with full slots: receivers are slow.",
            Looks(unit=PER_SECOND, empty=IDLE),
            rate(f"worker_jobs_sent_total{CHOSEN}", by="instance"),
            stacked=True,
        ),
        lines(
            "Breakers",
            "Destinations that workers leave alone (open), or ask with one send at a time "
            "whether they are back (half open); each worker has its own breakers. Red: "
            "something many notifications go to is down. ops/RUNBOOK.md#breakersstayopen",
            Looks(
                unit="short",
                empty="No worker is scraped",
                steps=[(None, GREEN), (1, RED)],
                colours={"open": RED, "half_open": ORANGE, "opened": "purple"},
            ),
            prom(f"sum by (state) (worker_breakers{HERE})", "{{state}}"),
            prom(f"sum(increase(worker_breakers_opened_total{HERE}[$__rate_interval]))", "opened"),
        ),
        lines(
            "Sends: duration",
            "p95 of one transfer, by channel: the receiver's time. Red: at "
            "SEND_DEADLINE_S, attempts are cut off. ops/RUNBOOK.md#sloburnsfast",
            Looks(unit="s", empty=IDLE, steps=[(None, GREEN), (10, RED)]),
            *quantiles("worker_send_seconds", CHOSEN, by="channel"),
        ),
    ),
)
