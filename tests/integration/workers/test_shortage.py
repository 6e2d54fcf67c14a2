"""A worker that lacks descriptors, memory or ports: nothing is lost by it, not even an attempt."""

import resource

import pytest
from loguru import logger

from service.config.settings import Settings
from tests import ledger
from tests.integration.workers.test_transfers import no_descriptors
from tests.waiting import wait_for
from workers import http_handle
from workers.runner import within_descriptors
from workers.shortage import Short


def statuses(db):
    rows = db.execute("select status, count(*) as n from notify.notifications group by status")
    return {row.status: row.n for row in rows}


def test_webhooks_wait_without_an_attempt_while_there_are_no_descriptors(db, sink, start, registry):
    told = []
    listening = logger.add(told.append, format="{message}", level="WARNING")
    start()
    ledger.enqueue(db, channel="webhook", recipient=sink.url + "/status/200", payload="{}")
    wait_for(lambda: statuses(db) == {"sent": 1})
    given_back = {"what": "descriptors"}
    with no_descriptors():
        ids = ledger.enqueue(
            db, 20, channel="webhook", recipient="http://127.0.0.2:9/", payload="{}"
        )
        wait_for(lambda: registry.get_sample_value("worker_shortages_total", given_back) >= 40)
    logger.remove(listening)
    assert [line for line in told if line.startswith("shortage")] == ["shortage\n"]
    assert all(ledger.attempts_of(db, id) == [] for id in ids)
    rows = [ledger.row(db, id) for id in ids]
    assert all(row.max_attempts - row.attempt == rows[0].max_attempts - rows[0].attempt
               for row in rows)  # fmt: skip


@pytest.fixture(params=[Short.LOCAL_PORTS, Short.MEMORY])
def short(request, monkeypatch):
    monkeypatch.setattr(http_handle, "short_of", lambda *_: request.param)
    return request.param


def to_nobody(db):
    (id_,) = ledger.enqueue(db, channel="webhook", recipient="http://127.0.0.1:9/", payload="{}")
    return id_


def test_what_never_left_is_no_attempt(db, start, registry, short):
    id_ = to_nobody(db)
    start()
    wait_for(lambda: registry.get_sample_value("worker_shortages_total", {"what": short}) >= 2)
    assert ledger.attempts_of(db, id_) == []


@pytest.mark.usefixtures("short")
def test_what_never_left_counts_when_its_patience_is_over(db, start):
    id_ = to_nobody(db)
    start(breaker_patience_mins=0.0, max_retries=0)
    wait_for(lambda: ledger.status(db, id_) == "failed")


@pytest.mark.parametrize(("limit", "sends"), [(1024, 90), (4096, 256), (128, 6), (70, 2)])
def test_slots_are_as_many_as_the_limit_of_open_files_allows(monkeypatch, limit, sends):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    assert within_descriptors(Settings()).sends_per_thread == sends
