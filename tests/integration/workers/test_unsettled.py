"""A worker that cannot settle claims nothing: it would send the same again with each lease."""

import pytest
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from tests import ledger
from tests.integration.api.link import Link
from tests.integration.workers.webhooks import counts
from tests.producers import role
from tests.waiting import wait_for
from workers import heart
from workers.loop import BACKOFF_MAX_S


@pytest.fixture
def link(dsn):
    """A way to PostgreSQL that a test may cut."""
    with Link(dsn) as link:
        yield link


@pytest.fixture
def two(db):
    """Make a role that may do all that a worker does, on two connections."""
    with role(db) as name:
        user = Identifier(name)
        db.execute(SQL("alter role {} connection limit 2").format(user))
        db.execute(SQL("grant usage on schema notify to {}").format(user))
        for kind in ("tables", "routines"):
            db.execute(SQL(f"grant all on all {kind} in schema notify to {{}}").format(user))
        yield name


@pytest.fixture
def worker(build, link):
    """Build a worker whose settler alone goes to PostgreSQL on that way."""
    worker = build()
    session = worker._settler._store._session
    session._conninfo = make_conninfo(session._conninfo, host="127.0.0.1", port=link.port)
    yield worker
    if worker.alive:
        worker.stop()


def hooks(db, sink, n, name):
    return ledger.enqueue(db, n, channel="webhook", recipient=f"{sink.url}/{name}", payload="{}")


def fails_three_times_more(worker):
    """Wait until the settler has met as many errors; the claimer takes many turns meanwhile."""
    left, pause = [3], worker._settler._pause

    def counted():
        left[0] -= 1
        pause()

    worker._settler._pause = counted
    wait_for(lambda: left[0] <= 0 and worker._settler._backoff_s == BACKOFF_MAX_S)


def test_who_never_could_settle_claims_nothing_until_it_can(db, sink, worker, link):
    sink.hold.set()
    ids = hooks(db, sink, 3, "held")
    link.cut()
    worker.start()
    fails_three_times_more(worker)
    assert not worker._claimer._store.is_connected
    assert counts(db, ids) == {"queued": 3}
    link.restore()
    wait_for(lambda: counts(db, ids) == {"sent": 3})
    assert {ledger.row(db, id_).attempt for id_ in ids} == {1}
    assert len(sink.requests) == 3


def test_who_cannot_settle_any_more_sends_nothing_again_until_it_can(db, sink, worker, link):
    [first] = hooks(db, sink, 1, "held")
    worker.start()
    wait_for(lambda: sink.requests)
    link.cut()
    sink.hold.set()
    fails_three_times_more(worker)
    ledger.take_back(db, first)
    ledger.change(db, first, due_at=ledger.ago(db, "0"))
    others = hooks(db, sink, 3, "held")
    fails_three_times_more(worker)
    assert counts(db, [first, *others]) == {"queued": 4}
    assert len(sink.requests) == 1
    link.restore()
    wait_for(lambda: counts(db, [first, *others]) == {"sent": 4})
    assert {ledger.row(db, id_).attempt for id_ in others} == {1}
    assert len(sink.requests) == 5  # the first once more: its lease had ended


def test_the_heart_keeps_no_connection_while_another_thread_has_none(db, worker, link, monkeypatch):
    monkeypatch.setattr(heart, "BEAT_S", 0.1)
    monkeypatch.setattr(heart, "LOOK_S", 0.02)
    link.cut()
    worker.start()
    session = worker._heart._store._session
    wait_for(lambda: worker._heart._outage.lasts and session.connection is None)
    beat_at = "select max(beat_at) as at from notify.workers"
    before = db.execute(beat_at).fetchone().at
    wait_for(lambda: db.execute(beat_at).fetchone().at != before)
    link.restore()
    wait_for(lambda: not worker._heart._outage.lasts and session.connection is not None)


def test_the_claimer_keeps_no_connection_while_the_settler_has_none(worker, link):
    worker.start()
    store = worker._claimer._store
    wait_for(lambda: store.is_connected)
    link.cut()
    wait_for(lambda: not store.is_connected)
    link.restore()
    wait_for(lambda: store.is_connected)


def test_one_connection_less_than_a_worker_wants_costs_no_delivery(db, dsn, sink, build, two):
    sink.hold.set()
    worker = build(database_url=f"postgresql://{two}:p@{dsn.rpartition('@')[2]}")
    ids = hooks(db, sink, 3, "held")
    worker.start()
    try:
        wait_for(lambda: counts(db, ids) == {"sent": 3})
    finally:
        worker.stop()
    assert {ledger.row(db, id_).attempt for id_ in ids} == {1}
    assert len(sink.requests) == 3
