"""What became of log lines."""

from prometheus_client import REGISTRY, CollectorRegistry

from service.metrics.factory import MetricFactory


class LogMetrics:
    """Counts log lines on their way to Loki; all are 0 without LOKI_URL."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        factory = MetricFactory(registry)
        self.pushed = factory.counter("log_lines_pushed_total", "Log lines that Loki has taken.")
        self.dropped = factory.counter(
            "log_lines_dropped_total",
            "Log lines that Loki will never see: older than the queue holds (full), or not taken "
            "by it (refused). Standard error has them all.",
            reason=["full", "refused"],
        )
        self.failures = factory.counter(
            "log_push_failures_total", "Pushes to Loki that failed and are tried again."
        )
