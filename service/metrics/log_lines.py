"""What became of log lines."""

from prometheus_client import REGISTRY, CollectorRegistry

from service.metrics.shelf import Shelf


class LogMetrics:
    """What became of log lines on their way to Loki; 0 without LOKI_URL."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        shelf = Shelf(registry)
        self.pushed = shelf.counter("log_lines_pushed_total", "Log lines that Loki has taken.")
        self.dropped = shelf.counter(
            "log_lines_dropped_total",
            "Log lines that Loki will never see: older than the queue holds (full), or not taken "
            "by it (refused). Standard error has them all.",
            reason=["full", "refused"],
        )
        self.failures = shelf.counter(
            "log_push_failures_total", "Pushes to Loki that failed and are tried again."
        )
