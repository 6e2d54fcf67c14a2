"""Ending leases of which one row cannot be moved: the others are taken back."""

import pytest

from tests import ledger
from tests.explaining import explain
from tests.ledger import (
    ago,
    attempts_of,
    claim,
    end_leases,
    enqueue,
    reap,
    row,
    settle_each,
)
from tests.sql.faults import ODD, heal, one_odd_among, trigger


@pytest.fixture
def db(faulty_db):
    return faulty_db


def test_the_others_are_taken_back_and_the_odd_one_is_refused(db, fault):
    ids, odd = one_odd_among(db)
    claim(db, ids, lease="-1 second")
    fault("sending")
    told = reap(db)
    assert {t.id for t in told if t.status == "refused"} == {odd}
    assert {t.id for t in told if t.status == "queued"} == set(ids) - {odd}
    assert row(db, odd).status == "sending"


def test_odd_leases_at_the_head_do_not_starve_those_behind_them(db, fault):
    odd, good = enqueue(db, 5, reference=ODD), enqueue(db, 3)
    claim(db, odd, lease="-10 seconds")
    claim(db, good, lease="-1 second")
    fault("sending")
    told = reap(db, limit=2) + reap(db, limit=2)
    assert {t.id for t in told if t.status == "queued"} == set(good)


def test_a_lease_that_cannot_be_ended_is_put_off_and_says_why(db):
    ids, odd = one_odd_among(db)
    claim(db, ids, lease="-1 second")
    db.execute(trigger("raise exception 'not this one';", when="and new.status <> 'sending'"))
    reap(db)
    assert row(db, odd).last_error.startswith("not this one (PL/pgSQL function public.fault()")
    assert 50 < (row(db, odd).lease_until - ago(db, "0")).total_seconds() <= 60
    assert reap(db) == []


def test_a_lease_that_still_runs_is_not_ended(db):
    ids = enqueue(db, 2)
    claim(db, ids)
    assert end_leases(db, ids) == []
    assert {row(db, id).status for id in ids} == {"sending"}


@pytest.mark.parametrize(
    ("outcome", "status"),
    [("sent", "sent"), ("permanent", "failed"), ("temporary", "queued"), ("expired", "expired")],
)
def test_what_could_not_be_settled_becomes_what_its_attempt_came_to(db, outcome, status):
    ids, odd = one_odd_among(db)
    claims = claim(db, ids, lease="-1 second")
    db.execute(trigger("raise exception 'not this one';", when="and new.status <> 'sending'"))
    told = settle_each(db, claims, outcome)
    assert {t.id for t in told if t.status == "refused"} == {odd}
    assert (row(db, odd).status, row(db, odd).last_error_code) == ("sending", "refused")
    assert row(db, odd).last_error.startswith("not this one")
    assert [t.status for t in reap(db)] == ["refused"]
    assert explain(db, odd)["settle_refused"]
    heal(db)
    ledger.change(db, odd, lease_until=ago(db, "1 second"))
    assert [(t.id, t.status) for t in reap(db)] == [(odd, status)]
    assert [a.outcome for a in attempts_of(db, odd)] == [outcome]
    error = (None, None) if outcome == "sent" else ("200", None)
    assert (row(db, odd).last_error_code, row(db, odd).last_error) == error


def noted(db, outcome, max_attempts=1, **more):
    """Let an attempt have ended whose settle was refused; gives the row, whose lease has passed."""
    [id] = enqueue(db, max_attempts=max_attempts)
    [claimed] = claim(db, [id], lease="-1 second")
    ledger.note_refused(db, claimed, outcome, **more)
    return id


@pytest.mark.parametrize("outcome", ["throttled", "unreachable", "deferred"])
def test_an_answer_that_does_not_count_costs_no_attempt_even_if_its_settle_was_refused(db, outcome):
    id = noted(db, outcome)
    assert [(t.id, t.status) for t in reap(db)] == [(id, "queued")]
    assert row(db, id).max_attempts == 2
    assert row(db, id).due_at > ago(db, "0")
    assert [a.counted for a in attempts_of(db, id)] == [False]


def test_the_wait_grows_with_the_answers_that_do_not_count(db):
    id = noted(db, "deferred")
    insert = (
        "insert into notify.attempts"
        " (notification_id, attempt, started_at, outcome, worker, counted)"
        " select %s, 100 + n, now(), 'deferred', 'w:1', false from generate_series(1, 9) as n"
    )
    db.execute(insert, [id])
    reap(db)
    assert (row(db, id).due_at - ago(db, "0")).total_seconds() > 300


def test_beyond_the_patience_it_counts(db):
    id = noted(db, "throttled", patience="0")
    assert [(t.id, t.status) for t in reap(db)] == [(id, "failed")]


def test_the_next_try_of_one_whose_settle_was_refused_waits_as_others_do(db):
    id = noted(db, "temporary", max_attempts=4)
    reap(db)
    wait = row(db, id).due_at - ago(db, "0")
    assert 50 < wait.total_seconds() < 70


def test_one_that_was_sent_in_time_counts_so_whenever_that_can_be_written_down(db):
    id = noted(db, "sent")
    long_ago = ago(db, "1 hour")
    ledger.change(db, id, created_at=long_ago)
    db.execute(
        "update notify.attempts set started_at = %s, took_ms = 1500 where notification_id = %s",
        [long_ago, id],
    )
    assert [(t.id, t.status) for t in reap(db)] == [(id, "sent")]
    assert (row(db, id).settled_at - long_ago).total_seconds() == 1.5
    assert [(d.result, d.count) for d in db.execute("select * from notify.slo_deltas")] == [
        ("in_time", 1)
    ]


def test_one_whose_next_try_would_come_too_late_expires(db):
    id = noted(db, "temporary", max_attempts=4)
    ledger.change(db, id, expires_at=ago(db, "-20 seconds"))
    assert [(t.id, t.status) for t in reap(db)] == [(id, "expired")]
