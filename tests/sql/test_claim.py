"""Claiming: due rows become one worker's, each under a numbered lease."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.ledger import ago, change, claim, counted, enqueue, pause, put, restore, row, settle
from tests.sql.faults import ODD, constraint, one_odd_among, trigger


@pytest.fixture
def db(shared_db):
    return shared_db


def test_a_claim_is_numbered_and_leased(db):
    [id] = enqueue(db, channel="webhook", recipient="https://example.org/", payload='{"a": 1}')
    [got] = claim(db, [id], worker="host:7", lease="30 seconds", max_attempts=4)
    assert (got.id, got.status, got.attempt) == (id, "sending", 1)
    assert (got.channel, got.recipient, got.payload) == (
        "webhook",
        "https://example.org/",
        '{"a": 1}',
    )
    assert got.expires_in is None
    kept = row(db, id)
    assert (kept.status, kept.attempt, kept.max_attempts, kept.claimed_by) == (
        "sending",
        1,
        4,
        "host:7",
    )
    assert 25 < (kept.lease_until - ago(db, "0")).total_seconds() <= 30


def test_a_claimed_row_is_not_claimed_again(db):
    ids = enqueue(db, 3)
    assert len(claim(db, ids)) == 3
    assert claim(db, ids) == []
    assert claim(db) == []


def test_the_next_claim_has_the_next_number(db):
    [id] = enqueue(db)
    for attempt in (1, 2, 3):
        [got] = claim(db, [id])
        assert got.attempt == attempt
        settle(db, [got], "temporary")
        change(db, id, due_at=ago(db, "1 second"))


def test_only_the_asked_for_ids_are_claimed(db):
    ids = enqueue(db, 5)
    assert {got.id for got in claim(db, ids[1:3])} == set(ids[1:3])


def test_unknown_doubled_and_no_ids_are_harmless(db):
    [id] = enqueue(db)
    assert claim(db, []) == []
    assert [got.id for got in claim(db, [uuid4(), id, id, uuid4()])] == [id]


@pytest.mark.parametrize("by_id", [True, False])
def test_no_more_than_the_limit_is_claimed(db, by_id):
    ids = enqueue(db, 10)
    assert len(claim(db, ids if by_id else None, limit=4)) == 4
    assert len(claim(db, ids if by_id else None, limit=100)) == 6


@pytest.mark.parametrize("by_id", [True, False])
def test_what_falls_due_later_stays(db, by_id):
    [id] = enqueue(db, send_at=ago(db, "-1 hour"))
    assert claim(db, [id] if by_id else None) == []
    change(db, id, due_at=ago(db, "0"))
    assert len(claim(db, [id] if by_id else None)) == 1


def test_without_ids_the_urgent_come_first_and_within_a_lane_the_longest_waiting(db):
    for priority in (3, 0, 2, 1):
        enqueue(db, 2, priority=priority)
    bulk, urgent = (row(db, enqueue(db, priority=p)[0]).id for p in (3, 0))
    change(db, bulk, due_at=ago(db, "1 day"))
    order = []
    while got := claim(db, limit=1):
        order.append(got[0].id)
    lanes = [row(db, id).priority for id in order]
    assert lanes == sorted(lanes)
    assert order.index(urgent) == 2
    assert lanes.index(3) == order.index(bulk)


@pytest.mark.parametrize("by_id", [True, False])
def test_what_has_expired_is_told_and_not_given(db, by_id):
    [id] = enqueue(db, expires_at=ago(db, "-1 hour"))
    change(db, id, expires_at=ago(db, "1 second"))
    [got] = claim(db, [id] if by_id else None)
    assert (got.id, got.status, got.attempt) == (id, "expired", 0)
    kept = row(db, id)
    assert (kept.status, kept.attempt, kept.lease_until, kept.claimed_by) == (
        "expired",
        0,
        None,
        None,
    )
    assert kept.settled_at is not None


def test_the_time_left_is_told_by_the_databases_clock(db):
    [id] = enqueue(db, expires_at=ago(db, "-1 hour"))
    [got] = claim(db, [id])
    assert 3590 < got.expires_in.total_seconds() <= 3600


def test_the_first_claim_fixes_how_many_attempts_there_are(db):
    [id] = enqueue(db)
    [own] = enqueue(db, max_attempts=9)
    settle(db, claim(db, [id, own], max_attempts=4), "temporary")
    for each in (id, own):
        change(db, each, due_at=ago(db, "1 second"))
    claim(db, [id, own], max_attempts=2)
    assert (row(db, id).max_attempts, row(db, own).max_attempts) == (4, 9)


def test_ids_of_many_days_are_claimed_together(db):
    days = [
        restore(
            db,
            id=db.execute(
                "select (left(notify.id_floor(now() + %s * interval '1 day')::text, 14)"
                " || '7000-8000-00000000000' || %s)::uuid as id",
                [day, day],
            )
            .fetchone()
            .id,
        ).id
        for day in range(9)
    ]
    assert len({r.tableoid for r in db.execute("select tableoid from notify.notifications")}) > 7
    assert {got.id for got in claim(db, days)} == set(days)


def test_patience_begins_with_the_first_claim_and_is_told(db):
    [id] = enqueue(db)
    [first] = claim(db, [id], patience="1 hour")
    assert first.patience_in.total_seconds() == 3600
    began = row(db, id).first_claimed_at
    settle(db, [first], "throttled")
    change(db, id, due_at=ago(db, "0"), first_claimed_at=began - timedelta(minutes=50))
    [again] = claim(db, [id], patience="1 hour")
    assert 500 < again.patience_in.total_seconds() <= 600
    assert row(db, id).first_claimed_at == began - timedelta(minutes=50)


def test_patience_that_is_over_is_zero(db):
    [id] = enqueue(db)
    change(db, id, first_claimed_at=ago(db, "1 day"))
    [got] = claim(db, [id], patience="1 hour")
    assert got.patience_in.total_seconds() == 0


@pytest.mark.parametrize("infinite", ["infinity", "-infinity"])
@pytest.mark.parametrize(
    "column", ["expires_at", "due_at", "created_at", "send_at", "first_claimed_at"]
)
@pytest.mark.parametrize("by_id", [True, False])
def test_no_infinite_time_stops_a_claim_or_cannot_be_read(unbound_db, column, infinite, by_id):
    db = unbound_db
    ids = enqueue(db, 3)
    change(db, ids[1], **{column: infinite})
    got = {g.id: g for g in claim(db, ids if by_id else None)}
    assert {ids[0], ids[2]} <= set(got)
    if ids[1] in got and column == "expires_at":
        assert (got[ids[1]].status == "expired") == (infinite == "-infinity")


@pytest.mark.parametrize("by_id", [True, False])
def test_what_a_trigger_leaves_out_is_told_as_refused(faulty_db, by_id):
    db = faulty_db
    ids, odd = one_odd_among(db)
    change(db, odd, expires_at=ago(db, "1 second"))
    db.execute(trigger("return null;"))
    got = {g.id: g.status for g in claim(db, ids if by_id else None)}
    assert got == {id: "refused" if id == odd else "sending" for id in ids}
    assert counted(db) == {}


HOOK: dict[str, Any] = {"channel": "webhook", "recipient": "https://example.org/hook"}


@pytest.mark.parametrize(
    "fault",
    [
        trigger("return null;"),
        trigger("raise exception 'no';"),
        constraint("due_at < '2100-01-01'"),
    ],
)
def test_behind_what_is_paused_and_cannot_be_set_aside_nobody_else_waits(faulty_db, fault):
    db = faulty_db
    held = enqueue(db, 5, priority=0, reference=ODD)
    others = enqueue(db, 3, priority=0, **HOOK)
    pause(db, "channel", "log")
    db.execute(fault)
    got = [claim(db, limit=2) for _ in range(3)]
    assert {c.id for claims in got for c in claims} == set(others)
    assert [len(claims) for claims in got] == [2, 1, 0]
    assert {(row(db, id).status, row(db, id).attempt) for id in held} == {("queued", 0)}


def test_what_expires_behind_what_is_paused_is_counted(faulty_db):
    db = faulty_db
    enqueue(db, 5, priority=0, reference=ODD)
    expired = put(db, "queued", expires_at=ago(db, "1 second"), **HOOK)
    pause(db, "channel", "log")
    db.execute(trigger("return null;"))
    assert [(c.id, c.status) for c in claim(db, limit=2)] == [(expired, "expired")]
    assert sum(counted(db).values()) == 1
