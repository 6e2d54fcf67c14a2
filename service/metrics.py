"""The metrics, a class per role: a process shows those of the roles that run in it.

Labels are few and bounded (channel, outcome); never an id, a recipient or a URL.
"""

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)

from service.model import Channel, Outcome

Buckets = tuple[float, ...]

DURATIONS_S: Buckets = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600,
)  # fmt: skip
BATCHES: Buckets = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class ApiMetrics:
    """What the HTTP edge counts."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        show_no_created_series()
        self.enqueued = Counter(
            "api_jobs_enqueued_total",
            "Notifications accepted by POST /notify, after their commit.",
            ["channel"], registry=registry,
        )  # fmt: skip
        self.enqueue_failed = Counter(
            "api_jobs_enqueue_failed_total",
            "POST /notify that was not accepted: invalid (their mistake) or unavailable (ours).",
            ["reason"], registry=registry,
        )  # fmt: skip
        self.batch = Histogram(
            "api_enqueue_batch_rows",
            "Requests that shared one INSERT.",
            buckets=BATCHES, registry=registry,
        )  # fmt: skip
        for channel in Channel:
            self.enqueued.labels(channel)
        for reason in ("invalid", "unavailable"):
            self.enqueue_failed.labels(reason)


class WorkerMetrics:
    """What workers count."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        show_no_created_series()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: Buckets, *labels: str) -> Histogram:
            return Histogram(name, text, labels, buckets=buckets, registry=registry)

        self.picked_up = counter(
            "worker_jobs_picked_up_total", "Attempts begun: notifications claimed.", "channel"
        )
        self.sent = counter("worker_jobs_sent_total", "Notifications that became sent.", "channel")
        self.failed = counter(
            "worker_jobs_failed_total", "Notifications that became failed.", "channel"
        )
        self.retried = counter(
            "worker_jobs_retried_total", "Attempts that failed and were queued again.", "channel"
        )
        self.expired = counter(
            "worker_jobs_expired_total",
            "Notifications that became expired instead of being sent late.",
            "channel",
        )
        self.attempts = counter(
            "worker_attempts_total", "Ended attempts by what came of them.", "channel", "outcome"
        )
        self.stale = counter(
            "worker_stale_settles_total",
            "Attempts whose lease had been taken back when they were settled: maybe duplicates.",
        )
        self.released = counter("worker_jobs_released_total", "Claims given back unstarted.")
        self.parked = counter(
            "worker_jobs_parked_total",
            "Of those, given back for a while: their destination fails (breaker) or has as many "
            "slots as it may (share).",
            "reason",
        )
        self.breakers_open = Gauge(
            "worker_breakers_open",
            "Destinations that this worker leaves alone, because they fail.",
            registry=registry,
        )
        self.breakers_opened = counter(
            "worker_breakers_opened_total", "Destinations that began to be left alone."
        )
        self.in_hand = Gauge(
            "worker_jobs_in_hand", "Notifications claimed and not yet settled.", registry=registry
        )
        self.send_seconds = histogram(
            "worker_send_seconds", "Duration of one attempt's send.", DURATIONS_S, "channel"
        )
        self.age_seconds = histogram(
            "worker_enqueue_to_sent_seconds",
            "From created_at to sent, by the database's clock.",
            DURATIONS_S,
            "channel",
        )
        self.claim_batch = histogram("worker_claim_batch_rows", "Rows of one claim.", BATCHES)
        self.settle_batch = histogram("worker_settle_batch_rows", "Rows of one settle.", BATCHES)
        self.loop_errors = counter(
            "worker_loop_errors_total", "Errors nobody expected, survived by a thread.", "thread"
        )
        for channel in Channel:
            for metric in (
                self.picked_up,
                self.sent,
                self.failed,
                self.retried,
                self.expired,
                self.send_seconds,
                self.age_seconds,
            ):
                metric.labels(channel)
            for outcome in Outcome:
                self.attempts.labels(channel, outcome)
        for reason in ("breaker", "share"):
            self.parked.labels(reason)


class DispatcherMetrics:
    """What the dispatcher and its background jobs count. Only the leader sets the gauges."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        show_no_created_series()
        self.reaper_runs = Counter("reaper_runs_total", "Runs of the reaper.", registry=registry)
        self.reaped = Counter(
            "reaper_rows_total",
            "Notifications whose lease passed, by what they became.",
            ["status"],
            registry=registry,
        )
        self.reconciler_runs = Counter(
            "reconciler_runs_total", "Runs of the reconciler.", registry=registry
        )
        self.lost = Counter(
            "reconciler_lost_total",
            "Ids that were offered and came back without a claim: 0 without faults.",
            registry=registry,
        )
        self.offered = Counter(
            "dispatcher_offered_total", "Ids put into the ready set.", registry=registry
        )
        self.bells = Counter("dispatcher_bells_total", "Wake-ups by NOTIFY.", registry=registry)
        self.leading = Gauge(
            "dispatcher_leading", "1: this one leads. 0: it stands by.", registry=registry
        )
        self.ready = Gauge(
            "dispatcher_ready_set_depth",
            "Ids in the ready set, by priority.",
            ["priority"],
            registry=registry,
        )
        self.queued = Gauge(
            "db_queued_notifications",
            "Notifications with status queued, due or not.",
            registry=registry,
        )
        self.sending = Gauge(
            "db_sending_notifications", "Notifications with status sending.", registry=registry
        )
        self.is_estimate = Gauge(
            "db_gauges_are_estimates", "1: a count above 100000 was estimated.", registry=registry
        )
        self.oldest_due = Gauge(
            "db_oldest_due_age_seconds",
            "Since the longest waiting notification fell due.",
            registry=registry,
        )
        self.gauges_at = Gauge(
            "db_gauges_timestamp_seconds", "When the db_ gauges were last set.", registry=registry
        )
        for status in ("queued", "failed"):
            self.reaped.labels(status)


def show_no_created_series() -> None:
    """Leave out the `_created` series that would double every counter."""
    disable_created_metrics()  # type: ignore[no-untyped-call]
