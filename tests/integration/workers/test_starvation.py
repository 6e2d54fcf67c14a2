"""One destination that hangs until the deadline leaves the others their throughput."""

import time
from contextlib import closing

import pytest
from prometheus_client import CollectorRegistry

from service.config import Settings
from service.metrics import WorkerMetrics
from tests.integration.workers.sink import Sink
from tests.waiting import wait_for
from workers.runner import Worker

OTHERS = 6000
# Without a limit to its share 0.1 is kept. With it, 0.74 to 0.8 were measured on a quiet machine
# (ops/adr/0006-breaker.md); beside other work on the same cores nothing finer can be told apart.
KEPT_MIN = 0.5
TRIES_MAX = 3

FILL = """
insert into notify.notifications (channel, recipient, payload)
select 'webhook', url, '{}' from generate_series(1, %s) as n,
  unnest(case when %s then array[%s, %s] else array[%s] end) as url
"""
SENT = "select count(*) as n from notify.notifications where status = 'sent'"


@pytest.fixture
def hanging():
    with closing(Sink()) as sink:
        yield sink


@pytest.fixture
def rate(db, dsn, sink, hanging):
    """Measure how many of the others are sent in a second."""

    def sent():
        return db.execute(SENT).fetchone().n

    def rate(*, beside_hanging):
        db.execute("truncate notify.notifications, notify.attempts")
        quick = sink.url + "/status/200"
        args = [OTHERS, beside_hanging, hanging.url + "/silent", quick, quick]
        db.execute(FILL, args)
        settings = Settings(
            database_url=dsn, num_threads=8, sends_per_thread=128, shutdown_grace_s=0
        )
        worker = Worker(settings, WorkerMetrics(CollectorRegistry()))
        worker.start()
        try:
            # From a third on: opening a thousand connections comes once, and hanging lasts.
            early = wait_for(lambda: (n := sent()) >= OTHERS / 3 and n, 30)
            began = time.monotonic()
            wait_for(lambda: sent() == OTHERS, 30)
            return (OTHERS - early) / (time.monotonic() - began)
        finally:
            worker.stop()

    return rate


def test_a_hanging_destination_with_half_of_the_backlog_leaves_the_others_most_of_their_rate(rate):
    kept = []
    while not kept or (kept[-1] < KEPT_MIN and len(kept) < TRIES_MAX):
        alone = rate(beside_hanging=False)
        kept.append(rate(beside_hanging=True) / alone)
    assert max(kept) >= KEPT_MIN, kept
