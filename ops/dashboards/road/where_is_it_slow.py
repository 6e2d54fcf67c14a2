"""Where is it slow? The stages side by side, and the road as a whole."""

from ops.dashboards.board import line, row
from ops.dashboards.looks import GREEN, RED, Looks, calm_until
from ops.dashboards.panels import bars, heatmap, lines
from ops.dashboards.queries import prom, quantiles
from ops.dashboards.road.stages import CHOSEN, IDLE

ROW = row(
    "Where is it slow?",
    line(
        8,
        bars(
            "Where does the time go?",
            "p95 of each stage over the last 5 minutes, in the order of the road. The "
            "longest bar above its neighbours is where to look: its row below has rate, "
            "batch and wait. Send is the receiver's time; the others are ours.",
            Looks(unit="s", empty=IDLE, steps=calm_until(1, 10)),
            prom(
                "histogram_quantile(0.95, sum by (le) (rate("
                'api_request_seconds_bucket{route="/notify"}[5m])))',
                "1 accepted by the API",
                now=True,
            ),
            prom("max(db_oldest_due_age_seconds)", "2 longest wait for a claim", now=True),
            prom(
                "sum(worker_jobs_in_hand) / (sum(rate(worker_jobs_picked_up_total[5m])) > 0)",
                "3 claimed to settled (mean)",
                now=True,
            ),
            prom(
                "histogram_quantile(0.95, sum by (le) (rate(worker_send_seconds_bucket[5m])))",
                "4 sending",
                now=True,
            ),
            prom(
                "histogram_quantile(0.95, sum by (le) (rate("
                "worker_enqueue_to_sent_seconds_bucket[5m])))",
                "enqueue to sent",
                now=True,
            ),
        ),
        heatmap(
            "Enqueue to sent, all of them",
            "How many took how long, from created_at (send_at if later) to sent. A second "
            "band above the first: a channel or a receiver that is slow; choose channels "
            "above to tell which. A step up at a mark: a deploy.",
            Looks(unit="s", empty="Nothing was sent"),
            "worker_enqueue_to_sent_seconds",
            CHOSEN,
        ),
        lines(
            "Enqueue to sent, by channel",
            "p95 of each channel. Red line: the objective. ops/RUNBOOK.md#sloburnsfast",
            Looks(unit="s", empty="Nothing was sent", steps=[(None, GREEN), (10, RED)]),
            *quantiles("worker_enqueue_to_sent_seconds", CHOSEN, by="channel"),
        ),
    ),
)
