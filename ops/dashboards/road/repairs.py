"""What was repaired on the way."""

from ops.dashboards.board import line, row
from ops.dashboards.looks import GREEN, ORANGE, PER_SECOND, RED, Looks, never
from ops.dashboards.panels import lines
from ops.dashboards.queries import rate
from ops.dashboards.road.stages import HERE

ROW = row(
    "What was repaired on the way",
    line(
        7,
        lines(
            "Taken back from dead workers",
            "Leases that passed, by what their notifications became. Any: a worker died or "
            "stood still. ops/RUNBOOK.md#leaseskeepexpiring. refused: PostgreSQL did not let "
            "one be moved. ops/RUNBOOK.md#rowsrefused",
            Looks(
                unit=PER_SECOND,
                empty="No dispatcher is scraped",
                colours={"queued": ORANGE, "failed": RED, "refused": "dark-red"},
            ),
            rate("reaper_rows_total", by="status"),
        ),
        lines(
            "Errors nobody expected",
            "Survived by a thread of a worker, which goes on. Any is a bug: the log has "
            "its line, with the error. ops/RUNBOOK.md#looperrors",
            Looks(unit=PER_SECOND, empty="No worker is scraped", steps=never()),
            rate(f"worker_loop_errors_total{HERE}", by="thread"),
        ),
        lines(
            "Log lines",
            "pushed to Loki; dropped, because the buffer was full (Loki away) or Loki "
            "refused them; failed pushes are tried again. Dropped: this page's sibling "
            "'One notification' lacks lines. ops/RUNBOOK.md#loglinesdropped",
            Looks(
                unit=PER_SECOND,
                empty="No lines are pushed: LOKI_URL is not set",
                colours={"pushed": GREEN, "failed pushes": ORANGE},
            ),
            rate("log_lines_pushed_total", "pushed"),
            rate("log_lines_dropped_total", "dropped: {{reason}}", by="reason"),
            rate("log_push_failures_total", "failed pushes"),
        ),
    ),
)
