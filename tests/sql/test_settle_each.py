"""Settling what could not be settled as one batch: the odd attempt is left out, the others end."""

import pytest

from tests.ledger import attempts_of, change, claim, reap, row, settle_each
from tests.sql.faults import constraint, one_odd_among, settle_all, trigger


@pytest.fixture
def db(faulty_db):
    return faulty_db


def test_the_others_end_and_are_counted_and_the_odd_one_is_not(db, fault):
    """It is refused; what the server may have kept from it, as a deadlock would, is tried again."""
    ids, odd = one_odd_among(db)
    got = claim(db, ids)
    fault("sending")
    [told] = [t for t in settle_all(db, got) if t.status in ("refused", "locked")]
    assert told.id == odd
    assert {row(db, id).status for id in ids if id != odd} == {"sent"}
    assert row(db, odd).status == "sending"
    noted = ["sent"] if told.status == "refused" else []
    assert [a.outcome for a in attempts_of(db, odd)] == noted
    count = "select sum(count)::integer as n from notify.slo_deltas"
    assert db.execute(count).fetchone().n == len(ids) - 1


@pytest.mark.parametrize("outcome", ["temporary", "throttled", "permanent", "expired"])
def test_an_odd_one_is_refused_whatever_came_of_it(db, outcome):
    _, odd = one_odd_among(db)
    got = [g for g in claim(db) if g.id == odd]
    db.execute(trigger("return null;"))
    assert [t.status for t in settle_all(db, got, outcome)] == ["refused"]
    assert [a.outcome for a in attempts_of(db, odd)] == [outcome]


def test_a_limit_of_attempts_that_cannot_rise_costs_its_row_only(db):
    ids, odd = one_odd_among(db)
    change(db, odd, max_attempts=2**31 - 1)
    told = settle_all(db, claim(db, ids), "throttled")
    assert {t.id for t in told if t.status == "refused"} == {odd}
    assert {t.status for t in told if t.id != odd} == {"queued"}


def test_a_rule_of_attempts_costs_its_row_only(db):
    ids, odd = one_odd_among(db)
    got = claim(db, ids)
    db.execute(constraint(f"notification_id <> '{odd}'", "attempts"))
    assert {t.id for t in settle_all(db, got) if t.status == "refused"} == {odd}
    assert {row(db, id).status for id in ids if id != odd} == {"sent"}


def test_an_attempt_that_somebody_has_written_already_is_ended_by_the_reaper(db):
    ids, odd = one_odd_among(db)
    got = claim(db, ids, lease="-1 second")
    db.execute(
        "insert into notify.attempts (notification_id, attempt, started_at, outcome, worker)"
        " values (%s, 1, now(), 'sent', 'x')",
        [odd],
    )
    assert {t.id for t in settle_all(db, got) if t.status == "refused"} == {odd}
    assert [(r.id, r.status) for r in reap(db)] == [(odd, "queued")]


def test_what_there_is_no_time_for_is_to_be_settled_again(db):
    ids, _ = one_odd_among(db)
    got = claim(db, ids)
    db.execute(trigger("raise exception 'no';"))
    assert {t.status for t in settle_each(db, got, ends="-1 second")} == {"locked"}
    assert {row(db, id).status for id in ids} == {"sending"}
