"""The metrics as they are before anything happened: names, help, labels, zeros and unknowns."""

import math

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from service.ledger.schema import current_migration
from service.metrics import (
    DURATIONS_S,
    ApiMetrics,
    DispatcherMetrics,
    ProcessMetrics,
    WorkerMetrics,
)
from service.model.server import PoolStats
from workers.claim import Parked

USERS_OWN = {
    "api_jobs_enqueued_total",
    "api_jobs_enqueue_failed_total",
    "worker_jobs_picked_up_total",
    "worker_jobs_sent_total",
    "worker_jobs_failed_total",
    "worker_jobs_retried_total",
    "reaper_runs_total",
    "reconciler_runs_total",
    "db_queued_notifications",
    "db_sending_notifications",
}
BOUNDED = {
    "call", "channel", "code", "le", "name", "outcome", "pool", "priority", "reason", "result",
    "route", "schema", "state", "status", "step", "table", "task", "thread", "verb", "version",
    "what",
}  # fmt: skip
LATER = {"api_request_seconds", "db_pool"}  # their labels come with the routes and the pools


@pytest.fixture
def registry():
    registry = CollectorRegistry()
    for kind in (ProcessMetrics, ApiMetrics, WorkerMetrics, DispatcherMetrics):
        kind(registry)
    return registry


@pytest.fixture
def families(registry):
    return list(registry.collect())


def samples(families):
    return [sample for family in families for sample in family.samples]


def test_the_users_own_names_are_there(families):
    assert {sample.name for sample in samples(families)} >= USERS_OWN


def test_everything_has_a_help_text_that_is_a_sentence(families):
    assert [f.name for f in families if not f.documentation.endswith(".")] == []


def test_no_label_could_carry_an_id_a_recipient_or_a_url(families):
    assert {name for sample in samples(families) for name in sample.labels} <= BOUNDED


def test_every_label_set_is_there_from_the_start(families):
    empty = [f.name for f in families if not f.samples]
    assert [name for name in empty if not name.startswith(tuple(LATER))] == []
    slo = [s for s in samples(families) if s.name == "slo_notifications_total"]
    assert len(slo) == 3 * 4 * 4


def test_counters_begin_at_zero_and_have_no_created_series(families):
    counting = [f for f in families if f.type in ("counter", "histogram")]
    assert {sample.value for sample in samples(counting)} == {0.0}
    assert not [s.name for s in samples(families) if s.name.endswith("_created")]


def test_what_only_a_leader_knows_is_unknown_at_first(families):
    unknown = {s.name for s in samples(families) if math.isnan(s.value)}
    assert unknown >= {
        "db_queued_notifications",
        "db_sending_notifications",
        "db_oldest_due_age_seconds",
        "db_xmin_age_transactions",
        "dispatcher_ready_set_depth",
        "dispatcher_redis_up",
    }
    assert "db_gauges_timestamp_seconds" not in unknown


def test_durations_are_measured_from_a_millisecond_to_ten_minutes(families):
    assert (DURATIONS_S[0], DURATIONS_S[-1]) == (0.001, 600)
    measured = [f.name for f in families if f.type == "histogram" and f.name.endswith("_seconds")]
    for name in measured:
        bounds = {s.labels["le"] for s in samples(families) if s.name == f"{name}_bucket"}
        assert len(bounds) in (0, len(DURATIONS_S) + 1), name
    assert len(measured) == 3


def test_a_forgotten_reading_is_unknown_with_all_its_labels():
    registry = CollectorRegistry()
    metrics = DispatcherMetrics(registry)
    metrics.dead_tuples.set(7, "attempts")
    metrics.queued.set(3)
    assert registry.get_sample_value("db_dead_tuples", {"table": "attempts"}) == 7
    metrics.forget()
    assert math.isnan(registry.get_sample_value("db_dead_tuples", {"table": "attempts"}))
    assert math.isnan(registry.get_sample_value("db_queued_notifications"))


def test_the_build_is_named_by_its_version_and_its_schema(registry):
    [build] = [s for s in samples(registry.collect()) if s.name == "notify_build_info"]
    assert build.value == 1
    assert build.labels["schema"] == current_migration()
    assert build.labels["version"]


def test_pools_are_read_when_they_are_asked_for_and_not_before():
    registry = CollectorRegistry()
    reads = []

    def stats():
        reads.append(1)
        return PoolStats(idle=1, used=3, waiting=2, waited_s=0.5, timeouts=4)

    process = ProcessMetrics(registry)
    process.show("notify-api", stats)
    assert not reads
    text = generate_latest(registry).decode()
    assert len(reads) == 1
    for line in (
        'db_pool_connections{pool="notify-api",state="idle"} 1.0',
        'db_pool_connections{pool="notify-api",state="used"} 3.0',
        'db_pool_requests_waiting{pool="notify-api"} 2.0',
        'db_pool_wait_seconds_total{pool="notify-api"} 0.5',
        'db_pool_timeouts_total{pool="notify-api"} 4.0',
    ):
        assert line in text.splitlines()


def test_each_reason_to_park_is_there_before_it_happens(families):
    reasons = {s.labels["reason"] for s in samples(families) if "jobs_parked" in s.name}
    assert reasons == set(Parked)
