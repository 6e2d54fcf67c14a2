"""Cancelling: what nobody is sending is called off; the rest says why not."""

from uuid import uuid4

import psycopg
import pytest

from tests.ledger import ago, attempts_of, cancel, claim, enqueue, put, redrive, row, settle
from tests.sql.faults import one_odd_among, trigger


@pytest.fixture
def db(shared_db):
    return shared_db


def test_a_queued_notification_is_called_off(db):
    [id] = enqueue(db)
    [told] = cancel(db, [id])
    assert (told.id, told.status, told.was_cancelled) == (id, "cancelled", True)
    kept = row(db, id)
    assert (kept.status, kept.attempt, kept.lease_until) == ("cancelled", 0, None)
    assert ago(db, "10 seconds") < kept.settled_at == told.settled_at <= ago(db, "0")
    assert claim(db, [id]) == claim(db) == attempts_of(db, id) == []


def test_what_waits_for_another_attempt_can_be_called_off_and_keeps_its_history(db):
    [id] = enqueue(db)
    settle(db, claim(db, [id]), "temporary", code="503", excerpt="busy")
    assert cancel(db, [id])[0].was_cancelled
    kept = row(db, id)
    assert (kept.attempt, kept.max_attempts, kept.last_error_code) == (1, 4, "503")
    assert [a.outcome for a in attempts_of(db, id)] == ["temporary"]


def test_what_falls_due_later_or_has_expired_unclaimed_can_be_called_off(db):
    later = put(db, "queued", due_at=ago(db, "-1 day"))
    expired = put(db, "queued", expires_at=ago(db, "1 second"))
    assert [t.was_cancelled for t in cancel(db, [later, expired])] == [True, True]


def test_what_is_being_sent_is_left_to_its_worker(db):
    [id] = enqueue(db)
    got = claim(db, [id])
    before = row(db, id)
    [told] = cancel(db, [id])
    assert (told.status, told.settled_at, told.was_cancelled) == ("sending", None, False)
    assert row(db, id) == before
    assert [s.status for s in settle(db, got)] == ["sent"]


@pytest.mark.parametrize("status", ["sent", "failed", "expired", "cancelled"])
def test_what_has_come_to_its_end_says_which(db, status):
    id = put(db, status)
    before = row(db, id)
    [told] = cancel(db, [id])
    assert (told.status, told.was_cancelled) == (status, False)
    assert told.settled_at == before.settled_at
    assert row(db, id) == before


def test_cancelling_twice_changes_nothing_the_second_time(db):
    [id] = enqueue(db)
    [first] = cancel(db, [id])
    [second] = cancel(db, [id])
    assert (second.status, second.was_cancelled) == ("cancelled", False)
    assert second.settled_at == first.settled_at


def test_each_that_exists_is_told_once_whatever_is_asked_with_it(db):
    ids = enqueue(db, 3)
    claim(db, [ids[1]])
    asked = [ids[2], uuid4(), ids[1], ids[2]]
    assert {t.id: t.status for t in cancel(db, asked)} == {ids[1]: "sending", ids[2]: "cancelled"}
    assert len(cancel(db, asked)) == 2
    assert cancel(db, []) == cancel(db, [uuid4()]) == []
    assert row(db, ids[0]).status == "queued"


def test_ids_of_many_days_are_cancelled_together(db):
    query = "select (left(notify.id_floor(now() + %s * interval '1 day')::text, 14) || %s)::uuid"
    days = [put(db, "queued", id=db.execute(query, [day, f"7000-8000-{day:012}"]).fetchone()[0])
            for day in range(9)]  # fmt: skip
    assert {t.id for t in cancel(db, days) if t.was_cancelled} == set(days)


def test_a_stale_worker_cannot_bring_it_back(db):
    [id] = enqueue(db)
    [got] = claim(db, [id])
    settle(db, [got], "temporary")
    cancel(db, [id])
    assert settle(db, [got], "sent") == []
    assert redrive(db, ids=[id]).matched == 0
    assert row(db, id).status == "cancelled"


def test_one_that_cannot_be_called_off_does_not_stop_the_others(faulty_db, fault):
    ids, odd = one_odd_among(faulty_db)
    fault("queued")
    told = {r.id: (r.status, r.was_cancelled) for r in cancel(faulty_db, ids)}
    assert told.pop(odd) == ("refused", False)
    assert set(told.values()) == {("cancelled", True)}
    assert [row(faulty_db, id).status for id in ids].count("cancelled") == 8


def test_one_that_is_asked_for_alone_says_why(faulty_db):
    _, odd = one_odd_among(faulty_db)
    faulty_db.execute(trigger("raise exception 'orders are closed';"))
    with pytest.raises(psycopg.errors.RaiseException, match="orders are closed"):
        cancel(faulty_db, [odd])
