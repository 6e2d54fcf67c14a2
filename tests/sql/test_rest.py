"""rest(): a queued row that the database refused waits for a minute, and says why."""

import psycopg
import pytest

from tests.ledger import ago, claim, enqueue, put, row
from tests.sql.faults import ODD, trigger


@pytest.fixture
def db(shared_db):
    return shared_db


def rest(db, id):
    return db.execute("select notify.rest(%s, %s) as rests", [id, "no " * 400]).fetchone().rests


def test_it_is_due_in_a_minute_with_the_message_cut(db):
    [id] = enqueue(db)
    assert rest(db, id)
    kept = row(db, id)
    assert (kept.status, kept.attempt, kept.last_error_code) == ("queued", 0, "refused")
    assert 58 < (kept.due_at - ago(db, "0")).total_seconds() <= 60
    assert kept.last_error == ("no " * 400)[:500]


def test_what_is_not_queued_or_not_due_stays_as_it_is(db):
    [sending], later, sent = (
        claim(db, enqueue(db)),
        enqueue(db, send_at=ago(db, "-1 hour")),
        put(db, "sent"),
    )
    for id in (sending.id, later[0], sent):
        before = row(db, id)
        assert not rest(db, id)
        assert row(db, id) == before


def test_what_somebody_holds_is_not_waited_for(db, shared_url):
    [id] = enqueue(db)
    with psycopg.connect(shared_url) as other:
        other.execute("select from notify.notifications where id = %s for update", [id])
        assert not rest(db, id)


def test_what_may_not_even_be_put_off_stays_due(faulty_db):
    db = faulty_db
    [id] = enqueue(db, reference=ODD)
    db.execute(trigger("raise exception 'never';"))
    assert not rest(db, id)
    assert row(db, id).due_at <= ago(db, "0")
