"""That a ledger is a copy is logged once, and once that it is at home again."""

from prometheus_client import CollectorRegistry

from service.home import REMEDY, Home
from service.logs.copied import Copied
from service.metrics import WorkerMetrics

AT_HOME = Home(is_home=True, environment=None, is_place=True, is_in_use=True)
COPY = Home(is_home=False, environment=None, is_place=False, is_in_use=False)


def test_each_change_is_logged_once_and_the_gauge_follows(events):
    registry = CollectorRegistry()
    copied = Copied("staging", WorkerMetrics(registry).ledger_is_copy)
    shown = []
    for home in (AT_HOME, COPY, COPY, AT_HOME, AT_HOME, COPY):
        copied.see(home)
        shown.append(registry.get_sample_value("worker_ledger_is_copy"))
        assert copied.is_copy == (not home.is_home)
    assert shown == [0, 1, 1, 0, 0, 1]
    names = [event["message"] for event in events]
    assert names == ["ledger_is_a_copy", "ledger_is_at_home", "ledger_is_a_copy"]
    assert events[0]["extra"]["found"] == "this ledger was copied: nothing is sent"
    assert events[0]["extra"]["hint"] == REMEDY
