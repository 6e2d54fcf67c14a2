"""In and out: what comes, what goes, and what was refused or failed."""

from ops.dashboards.board import line, row
from ops.dashboards.looks import (
    BLUE,
    FAILURES,
    GREEN,
    NO_FIGURES,
    ORANGE,
    PER_SECOND,
    QUANTILE_COLOURS,
    RED,
    Looks,
)
from ops.dashboards.overview.chosen import CHOSEN
from ops.dashboards.panels import lines
from ops.dashboards.queries import prom, quantiles, rate

ROW = row(
    "In and out",
    line(
        8,
        lines(
            "In and out",
            "by HTTP: accepted by POST /notify. by all: what ended plus what the queue "
            "grew by, so producers that INSERT are in it (smoothed, and too low while "
            "counts are estimated). sent: what went out. In above out for long: the queue "
            "grows, see Road.",
            Looks(
                unit=PER_SECOND,
                empty=NO_FIGURES,
                colours={"by HTTP": BLUE, "by all": "light-blue", "sent": GREEN},
            ),
            rate(f"api_jobs_enqueued_total{CHOSEN}", "by HTTP"),
            prom(
                "clamp_min(sum(rate(worker_jobs_sent_total[2m]))"
                " + sum(rate(worker_jobs_failed_total[2m]))"
                " + sum(rate(worker_jobs_expired_total[2m]))"
                " + max(deriv(db_queued_notifications[2m]))"
                " + max(deriv(db_sending_notifications[2m])), 0)",
                "by all",
            ),
            rate(f"worker_jobs_sent_total{CHOSEN}", "sent"),
        ),
        lines(
            "Enqueue to sent",
            "From created_at (send_at if later) to sent, all attempts and waits included. "
            "Red: slower than the objective; Road shows which stage. ops/RUNBOOK.md#sloburnsfast",
            Looks(
                unit="s",
                empty="Nothing was sent",
                steps=[(None, GREEN), (10, RED)],
                colours=QUANTILE_COLOURS,
            ),
            *quantiles("worker_enqueue_to_sent_seconds", CHOSEN),
        ),
        lines(
            "Queued and sending",
            "The ledger now. sending above the slots of all workers: leases of dead "
            "workers, the reaper takes them back. ops/RUNBOOK.md#leaseskeepexpiring",
            Looks(unit="short", empty=NO_FIGURES, colours={"queued": BLUE, "sending": GREEN}),
            prom("max(db_queued_notifications)", "queued"),
            prom("max(db_sending_notifications)", "sending"),
        ),
    ),
    line(
        8,
        lines(
            "Failures by class",
            "Attempts that did not deliver. temporary, unknown: tried again. throttled, "
            "unreachable, deferred: not now; tried again, and not counted for a while. "
            "permanent: the receiver refused for good. expired: its time was over. "
            "lease_expired: its worker died. One class rising: 'One notification' shows "
            "the code and the answer. ops/RUNBOOK.md#deadlettersrising",
            Looks(unit=PER_SECOND, empty=NO_FIGURES, colours=FAILURES),
            rate('worker_attempts_total{outcome!="sent", channel=~"$channel"}', by="outcome"),
            rate('reaper_rows_total{status!="refused"}', "lease_expired"),
            stacked=True,
        ),
        lines(
            "What became of them",
            "Notifications by what they became instead of sent. retried: queued again, no "
            "harm yet. failed: dead letters. expired: too late by their sender's word. "
            "cancel, redrive: by an operator.",
            Looks(
                unit=PER_SECOND,
                empty=NO_FIGURES,
                colours={
                    "retried": ORANGE,
                    "failed": RED,
                    "expired": "dark-orange",
                    "cancel": "purple",
                    "redrive": "light-purple",
                },
            ),
            *(
                rate(f"worker_jobs_{word}_total{CHOSEN}", word)
                for word in ("retried", "failed", "expired")
            ),
            rate("api_operator_rows_total", by="verb"),
        ),
        lines(
            "Refused at the door",
            "POST /notify that was not accepted. invalid: their mistake, the answer said "
            "which. unavailable: ours, PostgreSQL did not take it. "
            "ops/RUNBOOK.md#enqueueunavailable",
            Looks(
                unit=PER_SECOND, empty=NO_FIGURES, colours={"invalid": ORANGE, "unavailable": RED}
            ),
            rate("api_jobs_enqueue_failed_total", by="reason"),
            stacked=True,
        ),
    ),
)
