"""Claiming what could not be claimed as one batch: the odd row is set aside."""

import json

import psycopg
import pytest

from tests.ledger import ago, change, claim, claim_each, enqueue, pause, put, row
from tests.sql.faults import ODD, claim_all, one_odd_among, trigger


@pytest.fixture
def db(faulty_db):
    return faulty_db


@pytest.mark.parametrize("by_id", [True, False])
def test_the_others_are_claimed_and_the_odd_one_is_refused(db, fault, by_id):
    ids, odd = one_odd_among(db)
    fault("queued")
    got = claim_all(db, ids if by_id else None)
    assert {g.id: g.status for g in got} == {
        id: "refused" if id == odd else "sending" for id in ids
    }
    assert (row(db, odd).status, row(db, odd).attempt) == ("queued", 0)


def test_odd_rows_at_the_head_do_not_starve_those_behind_them(db, fault):
    odd, good = enqueue(db, 5, reference=ODD), enqueue(db, 3)
    fault("queued")
    skip = set()
    for _ in range(5):
        got = claim_all(db, limit=2, skip=skip)
        assert len(got) <= 2
        skip |= {g.id for g in got if g.status == "refused"}
    assert skip == set(odd)
    assert {row(db, id).status for id in good} == {"sending"}


def test_no_more_than_the_limit_is_claimed_or_refused(db):
    ids = enqueue(db, 8)
    change(db, ids[5], reference=ODD)
    db.execute(trigger("raise exception 'no';"))
    assert len(claim_each(db, ids, limit=3)) == 3
    assert len([id for id in ids if row(db, id).status == "sending"]) <= 3


def test_a_row_that_only_the_move_offends_is_put_off_and_says_why(db):
    ids, odd = one_odd_among(db)
    db.execute(trigger("raise exception 'not this one';", when="and new.status = 'sending'"))
    [refused] = [g for g in claim_all(db, ids) if g.status == "refused"]
    words = "not this one (PL/pgSQL function public.fault() line 2 at RAISE)"
    assert (refused.id, refused.error) == (odd, words)
    kept = row(db, odd)
    assert (kept.status, kept.last_error_code) == ("queued", "refused")
    assert kept.last_error == words
    assert 50 < (kept.due_at - ago(db, "0")).total_seconds() <= 60
    assert claim(db) == []


def test_an_attempt_at_the_end_of_its_numbers_does_not_stop_the_others(db):
    ids = enqueue(db, 3)
    odd = put(db, "queued", attempt=2**31 - 1, max_attempts=2**31 - 1)
    got = claim_all(db, [*ids, odd])
    assert {g.id for g in got if g.status == "sending"} == set(ids)
    assert {g.id for g in got if g.status == "refused"} == {odd}


def test_what_the_client_cannot_be_told_is_not_claimed(db):
    ids, odd = one_odd_among(db)
    change(db, odd, payload=json.dumps({"name": "\u4f60\u597d"}, ensure_ascii=False))
    db.execute("set client_encoding = 'latin1'")
    got = claim_all(db, ids)
    assert {g.id for g in got if g.status == "sending"} == set(ids) - {odd}
    assert {g.id for g in got if g.status == "refused"} == {odd}
    db.execute("reset client_encoding")
    assert row(db, odd).status == "queued"


def test_a_failure_of_the_server_is_not_taken_for_an_odd_row(db):
    ids, _ = one_odd_among(db)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), db.transaction():
        db.execute("set transaction read only")
        claim_each(db, ids)
    assert {row(db, id).status for id in ids} == {"queued"}


def test_behind_what_is_paused_and_cannot_be_set_aside_nobody_else_waits(db):
    enqueue(db, 5, priority=0, reference=ODD)
    skipped, *others = enqueue(db, 3, channel="webhook", recipient="https://example.org/")
    pause(db, "channel", "log")
    db.execute(trigger("return null;"))
    assert {c.id for c in claim_each(db, None, limit=2, skip=[skipped])} == set(others)
