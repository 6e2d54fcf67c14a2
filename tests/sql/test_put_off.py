"""Putting off: queued rows that are due fall due later, and nothing else of them changes."""

import pytest

from tests.ledger import ago, change, claim, enqueue, put, row
from tests.sql.faults import heal, one_odd_among, trigger


@pytest.fixture
def db(shared_db):
    return shared_db


def put_off(db, pairs):
    pairs = sorted(pairs)
    return db.execute(
        "select notify.put_off(%s, %s, clock_timestamp() + interval '1 second') as n",
        [[id for id, _ in pairs], [due_at for _, due_at in pairs]],
    ).fetchone().n  # fmt: skip


def test_each_falls_due_when_it_is_said(db):
    soon, late = ago(db, "-1 hour"), ago(db, "-2 hours")
    first, second = enqueue(db, 2)
    assert put_off(db, [(first, late), (second, soon)]) == 2
    assert (row(db, first).due_at, row(db, second).due_at) == (late, soon)


def test_what_is_claimed_ended_or_due_later_stays(db):
    at = ago(db, "-1 hour")
    ids = [put(db, status) for status in ("sending", "sent", "failed", "cancelled", "expired")]
    ids.append(put(db, "queued", due_at=ago(db, "-1 minute")))
    before = [row(db, id) for id in ids]
    assert put_off(db, [(id, at) for id in ids]) == 0
    assert [row(db, id) for id in ids] == before


def test_the_patience_begins_again(db):
    id = put(db, "queued", attempt=1, first_claimed_at=ago(db, "1 day"))
    put_off(db, [(id, ago(db, "-1 hour"))])
    assert row(db, id).first_claimed_at is None
    change(db, id, due_at=ago(db, "1 second"))
    claim(db, [id])
    assert row(db, id).first_claimed_at > ago(db, "10 seconds")


def test_nothing_is_nothing(db):
    assert put_off(db, []) == 0
    assert db.execute("select notify.put_off(null, null, now()) as n").fetchone().n == 0


def test_a_row_that_the_database_refuses_rests_for_a_minute_and_says_why(faulty_db):
    ids, odd = one_odd_among(faulty_db)
    at = ago(faulty_db, "-1 hour")
    words = "and new.due_at > now() + interval '10 minutes'"
    faulty_db.execute(trigger("raise exception 'not this one';", when=words))
    assert put_off(faulty_db, [(id, at) for id in ids]) == len(ids) - 1
    kept = row(faulty_db, odd)
    assert (kept.status, kept.last_error_code) == ("queued", "refused")
    assert kept.last_error.startswith("not this one")
    assert 50 < (kept.due_at - ago(faulty_db, "0")).total_seconds() <= 60
    heal(faulty_db)
    change(faulty_db, odd, due_at=ago(faulty_db, "1 second"))
    assert put_off(faulty_db, [(odd, at)]) == 1
    assert (row(faulty_db, odd).last_error_code, row(faulty_db, odd).last_error) == (None, None)


def test_what_else_went_wrong_is_kept(db):
    id = put(db, "queued", attempt=1, last_error_code="503", last_error="busy")
    put_off(db, [(id, ago(db, "-1 hour"))])
    assert (row(db, id).last_error_code, row(db, id).last_error) == ("503", "busy")


def test_what_a_trigger_gives_another_time_is_refused_and_says_so(faulty_db):
    """No pause would find it at that time: it would wait for none, or be sent beside one."""
    ids, odd = one_odd_among(faulty_db)
    faulty_db.execute(trigger("new.due_at := least(new.due_at, now() + interval '1 day');"))
    at = ago(faulty_db, "-30 days")
    assert put_off(faulty_db, [(id, at) for id in ids]) == len(ids) - 1
    kept = row(faulty_db, odd)
    assert kept.due_at < ago(faulty_db, "-61 seconds")
    assert kept.last_error_code == "refused"
    assert "another due_at" in kept.last_error
