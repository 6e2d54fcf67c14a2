"""What PostgreSQL does not let a thread move: remembered for a minute, never for ever."""

import pytest
from prometheus_client import CollectorRegistry

from service.metrics import WorkerMetrics
from workers.refusals import KNOWN_MAX, LEFT_ALONE_S, Refusal, Refusals


def refused(first: int, count: int) -> list[Refusal]:
    return [Refusal(f"id-{n}", 1, "no") for n in range(first, first + count)]


@pytest.fixture
def at(monkeypatch):
    """Stand at a time that the test sets."""
    now = [100.0]
    monkeypatch.setattr("workers.refusals.time.monotonic", lambda: now[0])
    return now


def test_a_thread_that_only_settles_forgets_as_well(at):
    registry = CollectorRegistry()
    refusals = Refusals(WorkerMetrics(registry))
    refusals.record("settle", refused(0, KNOWN_MAX))
    at[0] += LEFT_ALONE_S + 1
    refusals.record("settle", refused(KNOWN_MAX, 5))
    assert set(refusals.known()) == {f"id-{n}" for n in range(KNOWN_MAX, KNOWN_MAX + 5)}
    refusals.record("settle", refused(0, 1))
    counted = registry.get_sample_value("worker_rows_refused_total", {"call": "settle"})
    assert counted == KNOWN_MAX + 5 + 1, "after its minute it is logged and counted again"
