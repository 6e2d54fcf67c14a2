"""Make metrics with every value of their labels from the start, so that rates begin at 0."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.metrics import MetricWrapperBase

from service.metrics.histogram import BatchHistogram

DURATIONS_S = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600,
)  # fmt: skip
BATCHES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class MetricFactory:
    """Makes the metrics of one class, all in one registry and without `_created` series."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        # These series would double the number of counters.
        disable_created_metrics()  # type: ignore[no-untyped-call]

    def counter(self, name: str, text: str, /, **labels: Iterable[object]) -> Counter:
        """Make a counter; `labels` gives all values of each label."""
        counter = Counter(name, text, list(labels), registry=self._registry)
        touch(counter, labels)
        return counter

    def gauge(self, name: str, text: str, /, **labels: Iterable[object]) -> Gauge:
        """Make a gauge."""
        gauge = Gauge(name, text, list(labels), registry=self._registry)
        touch(gauge, labels)
        return gauge

    def reading(self, name: str, text: str, /, **labels: Iterable[object]) -> "Reading":
        """Make a gauge that may be unknown."""
        gauge = Gauge(name, text, list(labels), registry=self._registry)
        return Reading(touch(gauge, labels) if labels else {(): gauge})

    def histogram(
        self, name: str, text: str, buckets: Sequence[float], /, **labels: Iterable[object]
    ) -> Histogram:
        """Make a histogram."""
        histogram = Histogram(name, text, list(labels), buckets=buckets, registry=self._registry)
        touch(histogram, labels)
        return histogram

    def batch_histogram(
        self, name: str, text: str, buckets: Sequence[float], label: str, values: Iterable[object]
    ) -> BatchHistogram:
        """Make a histogram with one label, which takes many values at once."""
        histogram = BatchHistogram(name, text, buckets, label, values)
        self._registry.register(histogram)
        return histogram


class Reading:
    """A gauge that is NaN while its value is unknown: before set() and after forget()."""

    def __init__(self, gauges: Mapping[tuple[object, ...], Gauge]) -> None:
        self._gauges = gauges
        self.forget()

    def set(self, value: float | None, *labels: object) -> None:
        """Show what was read; None: it could not be read."""
        self._gauges[labels].set(math.nan if value is None else value)

    def forget(self) -> None:
        """Show that the value is unknown."""
        for gauge in self._gauges.values():
            gauge.set(math.nan)


def touch(
    metric: MetricWrapperBase, labels: Mapping[str, Iterable[object]]
) -> dict[tuple[object, ...], Any]:
    """Make a child for every combination of the labels' values."""
    return (
        {values: metric.labels(*values) for values in product(*labels.values())} if labels else {}
    )
