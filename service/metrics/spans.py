"""What became of spans."""

from prometheus_client import REGISTRY, CollectorRegistry

from service.metrics.factory import MetricFactory


class SpanMetrics:
    """Counts spans on their way to the collector; there are none while tracing is off."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        factory = MetricFactory(registry)
        self.pushed = factory.counter("spans_pushed_total", "Spans that the collector has taken.")
        self.dropped = factory.counter(
            "spans_dropped_total",
            "Spans that the collector will never see: there was no room for them in the queue "
            "(full), it did not take them in time (refused), or they could not be made (broken).",
            reason=["full", "refused", "broken"],
        )
