"""Pages of several processes become one."""

import math

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from service import metrics
from service.metrics.pages import GAUGES, added_up, merged, own_page
from service.metrics.worker import WorkerMetrics

COUNTER = """\
# HELP sent_total What was sent.
# TYPE sent_total counter
sent_total{{channel="log"}} {}
sent_total{{channel="a \\"b\\" }} 1"}} 1.0
"""
GAUGE = """\
# HELP {name} A gauge.
# TYPE {name} gauge
{name} {value}
"""


def values(page):
    """Read a page as Prometheus does: (name, labels) -> value."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def gauge(name, *of_each):
    """Merge one gauge."""
    page = merged(GAUGE.format(name=name, value=value) for value in of_each)
    return values(page)[(name,)]


def test_counters_add_up_label_by_label():
    page = merged([COUNTER.format("1.0"), COUNTER.format("2.5"), ""])
    assert page == COUNTER.format("3.5").replace("1.0", "2.0")


def test_what_one_process_alone_shows_is_shown():
    page = merged([COUNTER.format("1.0"), GAUGE.format(name="worker_slots", value="8.0")])
    assert page == COUNTER.format("1.0") + GAUGE.format(name="worker_slots", value="8.0")


def test_histograms_add_up_bucket_by_bucket():
    pages = []
    for seconds in (0.001, 0.02, 1000.0):
        registry = CollectorRegistry()
        shown = WorkerMetrics(registry)
        shown.send_seconds.labels("webhook").observe_all([seconds])
        pages.append(generate_latest(registry).decode())
    found = values(merged(pages))
    assert found["worker_send_seconds_count", "webhook"] == 3
    assert found["worker_send_seconds_sum", "webhook"] == pytest.approx(1000.021)
    assert found["worker_send_seconds_bucket", "webhook", "0.001"] == 1
    assert found["worker_send_seconds_bucket", "webhook", "0.025"] == 2
    assert found["worker_send_seconds_bucket", "webhook", "600.0"] == 2
    assert found["worker_send_seconds_bucket", "webhook", "+Inf"] == 3
    assert found["worker_send_seconds_count", "email"] == 0


@pytest.mark.parametrize(
    ("name", "of_each", "expected"),
    [
        ("worker_slots", ("512.0", "256.0"), 768),
        ("worker_breakers", ("2.0", "3.0"), 3),
        ("worker_ledger_is_copy", ("0.0", "1.0"), 1),
        ("worker_ledger_is_copy", ("NaN", "0.0"), 0),
        ("worker_clock_skew_seconds", ("0.5", "-2.0"), -2),
        ("worker_clock_skew_seconds", ("NaN", "-2.0"), -2),
        ("process_start_time_seconds", ("100.0", "90.0"), 90),
        ("python_info", ("1.0", "1.0"), 1),
        ("worker_jobs_in_hand", ("NaN", "4.0"), 4),
    ],
)
def test_gauges_are_merged_by_what_they_mean(name, of_each, expected):
    assert gauge(name, *of_each) == expected


def test_what_nobody_knows_stays_unknown():
    assert math.isnan(gauge("worker_clock_skew_seconds", "NaN", "NaN"))


def test_of_the_dead_remains_what_they_counted():
    past = added_up([COUNTER.format("2.0") + GAUGE.format(name="worker_slots", value="8.0")])
    assert past == COUNTER.format("2.0")
    assert added_up([]) == added_up([""]) == ""
    assert values(merged([COUNTER.format("1.0"), past]))["sent_total", "log"] == 3


def test_a_merged_page_is_read_as_prometheus_reads_it():
    """No sample is lost, none is there twice, and merging one page changes nothing."""
    own = own_page()
    assert merged([own]) == own
    two = values(merged([own, own]))
    for (name, *labels), value in values(own).items():
        if name.endswith("_total"):
            assert two[(name, *labels)] == 2 * value


def test_every_gauge_of_a_worker_says_how_it_is_merged():
    registry = CollectorRegistry()
    for made in ("WorkerMetrics", "ProcessMetrics", "LogMetrics", "SpanMetrics"):
        getattr(metrics, made)(registry)
    metrics.WorkerProcessesMetrics(registry)
    page = generate_latest(registry).decode() + own_page()
    gauges = {
        line.split(" ")[2]
        for line in page.splitlines()
        if line.startswith("# TYPE ") and line.endswith(" gauge")
    }
    ours = {name for name in gauges if not name.startswith(("api_", "dispatcher_", "db_", "job_"))}
    assert ours - GAUGES.keys() == set()
    assert {"worker_slots", "process_open_fds"} <= ours


def test_no_other_kind_of_metric_is_made_that_would_have_no_rule():
    registry = CollectorRegistry()
    WorkerMetrics(registry)
    assert {family.type for family in registry.collect()} == {"counter", "gauge", "histogram"}
