"""FigureStore: what the console shows of the ledger, as values."""

import asyncio
from dataclasses import replace

from service.ledger.figure_store import FigureStore
from service.ledger.store import Store
from service.model.words import LANES
from tests.explaining import beat, note, state
from tests.ledger import claim, enqueue
from tests.rollups import A, add_minutes, counts, note_figures


def asked(dsn, ask):
    """Ask with a pool of the API's."""

    async def run():
        async with Store(dsn, "notify-api") as store:
            return await ask(FigureStore(store.pool.connection))

    return asyncio.run(run())


def test_an_empty_ledger_answers_everything(db, dsn):
    now = asked(dsn, lambda figures: figures.now())
    assert (now.at, now.queued, now.failed, now.in_time, now.late) == (None, None, 0, 0, 0)
    assert [minute.came_in for minute in asked(dsn, lambda f: f.flow(15))] == [None] * 15
    assert asked(dsn, lambda f: f.destinations(10)) == []
    assert asked(dsn, lambda f: f.workers()) == []


def test_what_there_is_comes_as_values(db, dsn):
    note_figures(db, queued=5, leader="h:7")
    add_minutes(db, counts(A, 30, failures=1, last_code="503", failed_s=0))
    beat(db)
    note(db, state(A))
    claim(db, enqueue(db, 2))
    now = asked(dsn, lambda figures: figures.now())
    assert (now.leader, now.queued, len(now.queued)) == ("h:7", [0, 0, 5, 0], len(LANES))
    [destination] = asked(dsn, lambda f: f.destinations(10))
    assert (destination.destination, destination.sends, destination.state) == (A, 1, "breaker")
    again = asked(dsn, lambda f: f.destination("webhook", A))
    assert destination.per_min > 0 and again.per_min > 0  # of the moment of asking
    assert replace(again, per_min=0) == replace(destination, per_min=0)
    assert asked(dsn, lambda f: f.destination("email", A)) is None
    hour = asked(dsn, lambda f: f.minutes("webhook", A))
    assert (len(hour), sum(minute.sends for minute in hour)) == (60, 1)
    [worker] = asked(dsn, lambda f: f.workers())
    assert (worker.worker, worker.leases, worker.in_flight) == ("w:1", 2, 3)
