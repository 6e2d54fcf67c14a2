"""The leader's jobs, and what runs."""

from ops.dashboards.board import line, row
from ops.dashboards.looks import GREY, NO_FIGURES, NOBODY_LEADS, Looks
from ops.dashboards.panels import lines, table
from ops.dashboards.queries import prom

ROW = row(
    "The leader's jobs",
    line(
        7,
        lines(
            "Since each job last succeeded",
            "reaper and reconciler run each minute at least, gauges every 5 s, slo every "
            "few seconds, partitions hourly. One that rises past its interval fails: the "
            "log says why. ops/RUNBOOK.md#reapernotrunning",
            Looks(unit="s", empty=NOBODY_LEADS),
            prom("time() - (max by (name) (job_last_success_timestamp_seconds) > 0)", "{{name}}"),
            logarithmic=True,
        ),
        lines(
            "Runs per minute",
            "Of the reaper (which also comes when a lease passes) and of the reconciler. "
            "0: nobody leads, or it hangs. ops/RUNBOOK.md#reapernotrunning",
            Looks(unit="short", empty="No dispatcher is scraped"),
            prom("60 * sum(rate(reaper_runs_total[5m]))", "reaper"),
            prom("60 * sum(rate(reconciler_runs_total[5m]))", "reconciler"),
        ),
        table(
            "What runs",
            "Every process with its build. Two versions for longer than a deploy: one was "
            "forgotten. Another schema than the ledger's: run notify migrate.",
            Looks(unit="string", empty=NO_FIGURES, steps=[(None, GREY)]),
            prom("max by (role, instance, version, schema) (notify_build_info)", table=True),
            hidden=["Time", "Value"],
        ),
    ),
)
