"""The fifth stage: a worker settles."""

from ops.dashboards.board import line, row
from ops.dashboards.looks import GREEN, PER_SECOND, RED, Looks, calm_until
from ops.dashboards.panels import lines
from ops.dashboards.queries import batches, prom, rate
from ops.dashboards.road.stages import BATCH, CHOSEN, HERE, IDLE

ROW = row(
    "5 Worker: the settles",
    line(
        7,
        lines(
            "Settles: rate",
            "Ended attempts, by what came of them. stale: their lease had been taken back, "
            "so they may have been sent twice. ops/RUNBOOK.md#stalesettles. "
            "refused: PostgreSQL did not let a row be moved; the log names it.",
            Looks(
                unit=PER_SECOND,
                empty=IDLE,
                colours={"sent": GREEN, "stale": RED, "refused": "dark-red"},
            ),
            rate(f"worker_attempts_total{CHOSEN}", by="outcome"),
            rate(f"worker_stale_settles_total{HERE}", "stale"),
            rate(f"worker_rows_refused_total{HERE}", "refused"),
        ),
        lines(
            "Settles: batch",
            "Attempts that ended in one statement. At 1000 for long: settling is the "
            "bottleneck, so look at PostgreSQL.",
            BATCH,
            *batches("worker_settle_batch_rows", HERE),
        ),
        lines(
            "Claim to settle",
            "Mean time in a worker's hands: what is in hand over what is claimed each "
            "second (Little's law). Red: leases (30 s) begin to pass. Well above Sends: "
            "duration: settles lag. ops/RUNBOOK.md#oldestduetooold",
            Looks(unit="s", empty=IDLE, steps=calm_until(10, 30)),
            prom(
                f"sum by (instance) (worker_jobs_in_hand{HERE})"
                " / (sum by (instance) (rate(worker_jobs_picked_up_total"
                f"{HERE}[$__rate_interval])) > 0)",
                "{{instance}}",
            ),
        ),
    ),
)
