"""A histogram that takes many values at once shows what prometheus_client's would."""

import threading

from prometheus_client import CollectorRegistry, generate_latest

from service.metrics.factory import DURATIONS_S, MetricFactory

CHANNELS = ("log", "webhook")
VALUES = [0.0, 0.0009, 0.001, 0.0011, 0.25, 1, 2.5, 7.0, 600, 600.1, 1e9, *DURATIONS_S]


def made(registry):
    factory = MetricFactory(registry)
    return factory.batch_histogram("took_seconds", "How long.", DURATIONS_S, "channel", CHANNELS)


def page(*batches):
    """Show batches of one channel; the other has none."""
    registry = CollectorRegistry()
    histogram = made(registry)
    for values in batches:
        histogram.labels("webhook").observe_all(values)
    return generate_latest(registry).decode()


def usual(*values):
    """Show the same by prometheus_client's own."""
    registry = CollectorRegistry()
    factory = MetricFactory(registry)
    histogram = factory.histogram("took_seconds", "How long.", DURATIONS_S, channel=CHANNELS)
    for value in values:
        histogram.labels("webhook").observe(value)
    return generate_latest(registry).decode()


def test_every_value_of_its_label_is_there_from_the_start():
    assert page() == page([]) == usual()


def test_each_value_is_counted_up_to_its_bound():
    for value in VALUES:
        assert page([value]) == usual(value)


def test_the_values_of_all_batches_add_up():
    powers = [2.0**n for n in range(-12, 12)]  # their sums are exact in any order
    assert page(powers) == page(powers[:5], powers[5:]) == usual(*powers)


def test_what_many_threads_show_is_all_there():
    registry = CollectorRegistry()
    child = made(registry).labels("log")
    threads = [
        threading.Thread(target=lambda: [child.observe_all([0.5, 2.0]) for _ in range(1000)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counted = registry.get_sample_value("took_seconds_count", {"channel": "log"})
    total = registry.get_sample_value("took_seconds_sum", {"channel": "log"})
    assert (counted, total) == (8000, 10000.0)
