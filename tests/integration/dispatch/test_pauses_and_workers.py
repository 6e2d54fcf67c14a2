"""A pause while everything runs: a dispatcher, workers and two receivers."""

import threading
from collections import Counter

import pytest
from prometheus_client import CollectorRegistry

from service.config.settings import Settings
from service.metrics import WorkerMetrics
from service.names.guard import LOOPBACK
from tests.integration.workers.sink import Sink
from tests.ledger import attempts_of, enqueue, pause, paused, resume
from tests.waiting import wait_for
from workers.runner import Worker

SENT = "select count(*) as n from notify.notifications where status = 'sent' and recipient = %s"
MOVING = "select exists (select from notify.notifications where status = 'sending') as is_there"


@pytest.fixture
def other_sink():
    sink = Sink()
    yield sink
    sink.close()


@pytest.fixture
def sink():
    sink = Sink()
    yield sink
    sink.close()


@pytest.fixture(params=["with Redis", "without Redis"])
def running(request, dsn, drive, redis_url):
    """Run a dispatcher, and a worker with or without the ready set; the leader's jobs run."""
    url = redis_url if request.param == "with Redis" else None
    settings = Settings(database_url=dsn, redis_url=url, webhook_allow=LOOPBACK)
    worker = Worker(settings, WorkerMetrics(CollectorRegistry()))
    with drive(redis_url=url).running():
        worker.start()
        yield
        worker.stop()


def hook(sink):
    return f"{sink.url}/status/200"


def send(db, sink, n):
    return enqueue(db, n, channel="webhook", recipient=hook(sink))


def sent(db, sink):
    return db.execute(SENT, [hook(sink)]).fetchone().n


@pytest.mark.usefixtures("running")
def test_after_its_commit_nothing_more_is_sent_others_go_on_and_then_all_is_sent_once(
    db, other_db, sink, other_sink
):
    ids, stop = send(db, sink, 200), threading.Event()

    def flow():
        while not stop.is_set():
            ids.extend(send(other_db, sink, 5))

    flowing = threading.Thread(target=flow)
    flowing.start()
    try:
        wait_for(lambda: len(sink.requests) > 20)
        id = pause(db, "destination", sink.url)
        wait_for(lambda: not db.execute(MOVING).fetchone().is_there)
        before = len(sink.requests)
        others = send(db, other_sink, 200)
        wait_for(lambda: sent(db, other_sink) == len(others))
    finally:
        stop.set()
        flowing.join()
    assert len(sink.requests) == before == sent(db, sink)
    wait_for(lambda: paused(db)[0].waiting == len(ids) - before)
    assert resume(db, id)
    wait_for(lambda: sent(db, sink) == len(ids))
    wait_for(lambda: paused(db) == [])
    times = Counter(request.headers["webhook-id"] for request in sink.requests)
    assert times == Counter(str(id) for id in ids)
    assert all([a.outcome for a in attempts_of(db, id)] == ["sent"] for id in ids)
