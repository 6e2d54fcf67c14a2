"""Putting off: queued rows that are due fall due later, and nothing else of them changes."""

import pytest

from tests.ledger import ago, change, claim, enqueue, put, row


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
