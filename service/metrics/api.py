"""What the HTTP edge counts."""

from prometheus_client import REGISTRY, CollectorRegistry

from service.metrics.factory import BATCHES, DURATIONS_S, MetricFactory
from service.model.words import Channel


class ApiMetrics:
    """What the HTTP edge counts."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        factory = MetricFactory(registry)
        self.enqueued = factory.counter(
            "api_jobs_enqueued_total",
            "Notifications accepted by POST /notify and /notify/batch, after their commit.",
            channel=Channel,
        )
        self.enqueue_failed = factory.counter(
            "api_jobs_enqueue_failed_total",
            "Notifications, or whole requests, that were not accepted: invalid (their mistake) or"
            " unavailable (ours).",
            reason=["invalid", "unavailable"],
        )
        self.batch = factory.histogram(
            "api_enqueue_batch_rows", "Requests that shared one INSERT.", BATCHES
        )
        self.request_seconds = factory.histogram(
            "api_request_seconds",
            "Duration of one request. route: its template, or other; code: the answer's status.",
            DURATIONS_S,
            route=[],
            code=[],
        )
        self.requests_in_progress = factory.gauge(
            "api_requests_in_progress", "Requests that are being answered at this moment."
        )
        self.waiting = factory.gauge(
            "api_requests_waiting", "Requests that wait for the end of a notification."
        )
        self.connections = factory.gauge(
            "api_connections", "Connections that clients have open at this moment."
        )
        self.connections_refused = factory.counter(
            "api_connections_refused_total",
            "Connections turned away, or closed to make room, because CONNECTIONS_MAX were open.",
        )
        self.requests_refused = factory.counter(
            "api_requests_refused_total",
            "Requests that no handler saw. code: of the problem that was answered.",
            code=[
                "unsupported_content_encoding", "foreign_host", "cross_site_request",
                "key_missing", "key_invalid", "scope_missing", "rate_limited",
            ],
        )  # fmt: skip
        self.clock_skew = factory.reading(
            "api_clock_skew_seconds",
            "How far this machine's clock is ahead of the ledger's; NaN: it was not read yet.",
        )
        self.ledger_is_copy = factory.reading(
            "api_ledger_is_copy",
            "1: nothing is sent of what this API accepts, as the ledger is not at home for it: it "
            "was copied, or ENVIRONMENT is another; NaN: it was not read yet.",
        )
        self.operator_rows = factory.counter(
            "api_operator_rows_total",
            "Notifications that an operator moved, by verb; probe: those that fell due for it.",
            verb=["cancel", "redrive", "send_again", "probe"],
        )
