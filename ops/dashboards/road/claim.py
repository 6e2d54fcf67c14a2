"""The third stage: a worker claims."""

from ops.dashboards.board import line, row
from ops.dashboards.looks import BLUE, GREEN, Looks
from ops.dashboards.panels import lines
from ops.dashboards.queries import batches, prom, rate
from ops.dashboards.road.stages import BATCH, CHOSEN, HERE, RATE

ROW = row(
    "3 Worker: a claim",
    line(
        7,
        lines(
            "Claims: rate",
            "Notifications claimed, by channel, and claims given back unstarted: because "
            "their destination fails (breaker), has its share of slots (share) or throttles "
            "(pace; url: one URL of it), or a worker stops (released, all of "
            "them).",
            RATE,
            rate(f"worker_jobs_picked_up_total{CHOSEN}", by="channel"),
            rate(f"worker_jobs_released_total{HERE}", "released"),
            rate(f"worker_jobs_parked_total{HERE}", "parked: {{reason}}", by="reason"),
        ),
        lines(
            "Claims: batch",
            "Rows of one claim: as many as slots are free, at most 1000. Small ones with "
            "much due: slots are full, see Sends.",
            BATCH,
            *batches("worker_claim_batch_rows", HERE),
        ),
        lines(
            "In hand",
            "Notifications that workers have claimed and not settled yet, and the sends in "
            "flight among them. A wide gap between the two: settles lag, or they wait for "
            "a share of their destination.",
            Looks(
                unit="short",
                empty="No worker is scraped",
                colours={"in hand": BLUE, "in flight": GREEN, "slots": "text"},
            ),
            prom(f"sum(worker_jobs_in_hand{HERE})", "in hand"),
            prom(f"sum(worker_sends_in_flight{HERE})", "in flight"),
            prom(f"sum(worker_slots{HERE})", "slots"),
        ),
    ),
)
