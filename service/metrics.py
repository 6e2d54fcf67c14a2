"""The metrics, a class per role: a process shows the metrics of the roles that run in it, and no others.

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

DURATIONS_S = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600,
)  # fmt: skip
BATCHES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class ApiMetrics:
    """What the HTTP edge counts."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        disable_created_metrics()
        self.enqueued = Counter(
            "api_jobs_enqueued_total",
            "Notifications accepted by POST /notify, after their commit.",
            ["channel"], registry=registry,
        )  # fmt: skip
        self.enqueue_failed = Counter(
            "api_jobs_enqueue_failed_total",
            "POST /notify that was not accepted: invalid (the caller's mistake) or unavailable (ours).",
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
        disable_created_metrics()
        per_channel = {"labelnames": ["channel"], "registry": registry}
        self.picked_up = Counter(
            "worker_jobs_picked_up_total", "Attempts begun: notifications claimed.", **per_channel)
        self.sent = Counter(
            "worker_jobs_sent_total", "Notifications that became sent.", **per_channel)
        self.failed = Counter(
            "worker_jobs_failed_total",
            "Notifications that became failed: dead letters.", **per_channel)
        self.retried = Counter(
            "worker_jobs_retried_total",
            "Attempts that failed and were queued again.", **per_channel)
        self.expired = Counter(
            "worker_jobs_expired_total",
            "Notifications that became expired instead of being sent late.", **per_channel)
        self.attempts = Counter(
            "worker_attempts_total", "Ended attempts by what came of them.",
            ["channel", "outcome"], registry=registry)
        self.stale = Counter(
            "worker_stale_settles_total",
            "Attempts whose lease another worker had taken when they were settled: possible duplicates.",
            registry=registry)
        self.released = Counter(
            "worker_jobs_released_total", "Claims given back unstarted.", registry=registry)
        self.in_hand = Gauge(
            "worker_jobs_in_hand", "Notifications claimed and not yet settled.", registry=registry)
        self.send_seconds = Histogram(
            "worker_send_seconds", "Duration of one attempt's send.",
            ["channel"], buckets=DURATIONS_S, registry=registry)
        self.age_seconds = Histogram(
            "worker_enqueue_to_sent_seconds", "From created_at to sent, by the database's clock.",
            ["channel"], buckets=DURATIONS_S, registry=registry)
        self.claim_batch = Histogram(
            "worker_claim_batch_rows", "Rows of one claim.", buckets=BATCHES, registry=registry)
        self.settle_batch = Histogram(
            "worker_settle_batch_rows", "Rows of one settle.", buckets=BATCHES, registry=registry)
        for channel in Channel:
            for metric in (self.picked_up, self.sent, self.failed, self.retried, self.expired,
                           self.send_seconds, self.age_seconds):
                metric.labels(channel)
            for outcome in Outcome:
                self.attempts.labels(channel, outcome)


class DispatcherMetrics:
    """What the dispatcher and its background jobs count. Only the leader sets the gauges."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        disable_created_metrics()
        self.reaper_runs = Counter(
            "reaper_runs_total", "Runs of the reaper.", registry=registry)
        self.reaped = Counter(
            "reaper_rows_total", "Notifications whose lease passed, by what they became.",
            ["status"], registry=registry)
        self.reconciler_runs = Counter(
            "reconciler_runs_total", "Runs of the reconciler.", registry=registry)
        self.lost = Counter(
            "reconciler_lost_total",
            "Ids that were offered and came back without a claim: 0 without faults.",
            registry=registry)
        self.offered = Counter(
            "dispatcher_offered_total", "Ids put into the ready set.", registry=registry)
        self.bells = Counter(
            "dispatcher_bells_total", "Wake-ups by NOTIFY.", registry=registry)
        self.leading = Gauge(
            "dispatcher_leading", "1 if this dispatcher leads, 0 if it stands by.", registry=registry)
        self.ready = Gauge(
            "dispatcher_ready_set_depth", "Ids in the ready set, by priority.",
            ["priority"], registry=registry)
        self.queued = Gauge(
            "db_queued_notifications", "Notifications with status queued, due or not.",
            registry=registry)
        self.sending = Gauge(
            "db_sending_notifications", "Notifications with status sending.", registry=registry)
        self.is_estimate = Gauge(
            "db_gauges_are_estimates", "1 if a count above 100000 was estimated.", registry=registry)
        self.oldest_due = Gauge(
            "db_oldest_due_age_seconds", "Since the longest waiting notification fell due.",
            registry=registry)
        self.gauges_at = Gauge(
            "db_gauges_timestamp_seconds", "When the db_ gauges were last set.", registry=registry)
        for status in ("queued", "failed"):
            self.reaped.labels(status)
