"""Redriving: dead letters get another go, slowly, and only those that are meant."""

from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.ledger import (
    ago,
    attempts_of,
    change,
    claim,
    enqueue,
    put,
    redrive,
    redrive_in_pieces,
    release,
    row,
    settle,
    status,
)


@pytest.fixture
def db(shared_db):
    return shared_db


def failed(db, n=1, **columns):
    """Place dead letters, the oldest first."""
    return sorted(put(db, "failed", **columns) for _ in range(n))


def statuses(db, ids):
    return [status(db, id) for id in ids]


def test_a_dead_letter_is_queued_and_due_with_as_many_attempts_more(db):
    [id] = enqueue(db, max_attempts=1)
    settle(db, claim(db, [id]), "temporary", code="503", excerpt="busy")
    assert redrive(db, ids=[id], attempts=3) == (1, 1, 0, False)
    kept = row(db, id)
    assert (kept.status, kept.attempt, kept.max_attempts) == ("queued", 1, 4)
    assert (kept.settled_at, kept.lease_until, kept.claimed_by) == (None, None, None)
    assert ago(db, "10 seconds") < kept.due_at <= ago(db, "0")


def test_the_last_error_stays_until_the_next_settle(db):
    [id] = enqueue(db, max_attempts=1)
    settle(db, claim(db, [id]), "temporary", code="503", excerpt="busy")
    redrive(db, ids=[id])
    [got] = claim(db, [id])
    assert (row(db, id).last_error_code, row(db, id).last_error) == ("503", "busy")
    settle(db, [got], "sent")
    assert (row(db, id).last_error_code, row(db, id).last_error) == (None, None)
    assert [(a.attempt, a.outcome) for a in attempts_of(db, id)] == [(1, "temporary"), (2, "sent")]


def test_it_fails_again_when_the_new_attempts_are_used_up(db):
    [id] = failed(db, attempt=4)
    redrive(db, ids=[id], attempts=2)
    ended = []
    while got := claim(db, [id]):
        ended += settle(db, got, "temporary")
        change(db, id, due_at=ago(db, "1 second"))
    assert [(e.attempt, e.status) for e in ended] == [(5, "queued"), (6, "failed")]


def test_a_permanent_failure_does_not_keep_the_attempts_it_had_left(db):
    [id] = failed(db, attempt=1, max_attempts=90)
    redrive(db, ids=[id], attempts=2)
    assert row(db, id).max_attempts == 3


def test_pairs_of_before_stay_stale(db):
    [id] = enqueue(db, max_attempts=1)
    [first] = claim(db, [id])
    settle(db, [first], "temporary")
    redrive(db, ids=[id])
    assert settle(db, [first]) == release(db, [first]) == []
    [second] = claim(db, [id])
    assert second.attempt == 2
    assert settle(db, [first]) == release(db, [first]) == []
    assert status(db, id) == "sending"


@pytest.mark.parametrize("state", ["queued", "sending", "sent", "cancelled", "expired"])
def test_only_what_failed_is_redriven(db, state):
    id = put(db, state)
    before = row(db, id)
    assert redrive(db, ids=[id]) == redrive(db) == (0, 0, 0, False)
    assert row(db, id) == before


def test_the_oldest_come_first_up_to_the_limit_and_the_answer_says_that_there_are_more(db):
    ids = failed(db, 5)
    assert redrive(db, limit=3) == (3, 3, 0, True)
    assert statuses(db, ids) == ["queued"] * 3 + ["failed"] * 2
    assert redrive(db, limit=2) == (2, 2, 0, False)
    assert redrive(db, limit=2) == (0, 0, 0, False)


def test_a_limit_that_is_just_enough_leaves_no_more(db):
    failed(db, 3)
    assert redrive(db, limit=3) == (3, 3, 0, False)


def test_they_fall_due_at_the_rate_in_the_order_of_their_age(db):
    ids = failed(db, 5)
    redrive(db, rate=0.5)
    due = [row(db, id).due_at for id in ids]
    assert [(d - due[0]).total_seconds() for d in due] == [0, 2, 4, 6, 8]
    assert [got.id for got in claim(db)] == ids[:1]


def test_without_a_rate_all_are_due_at_once(db):
    ids = failed(db, 5)
    redrive(db, rate=None)
    assert [got.id for got in claim(db)] == ids


def test_a_dry_run_counts_and_changes_nothing(db):
    ids = failed(db, 3)
    before = [row(db, id) for id in ids]
    assert redrive(db, dry_run=True) == (3, 0, 0, False)
    assert redrive(db, dry_run=True, limit=2) == (2, 0, 0, True)
    assert [row(db, id) for id in ids] == before


@pytest.mark.parametrize("by_id", [True, False])
def test_what_would_expire_at_once_is_told_apart_and_stays_failed(db, by_id):
    late, in_time, never = (
        failed(db, expires_at=at)[0] for at in (ago(db, "1 second"), ago(db, "-1 hour"), None)
    )
    which = {"ids": [late, in_time, never]} if by_id else {"channel": "log"}
    assert redrive(db, dry_run=True, **which) == (2, 0, 1, False)
    assert redrive(db, **which) == (2, 2, 1, False)
    assert statuses(db, [late, in_time, never]) == ["failed", "queued", "queued"]


def test_the_expired_at_the_head_do_not_keep_the_others_from_their_turn(db):
    failed(db, 3, expires_at=ago(db, "1 second"))
    ids = failed(db, 2)
    assert redrive(db, limit=1) == (1, 1, 3, True)
    assert redrive(db, limit=1) == (1, 1, 3, False)
    assert statuses(db, ids) == ["queued", "queued"]


FILTERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "channel": ({"channel": "webhook"}, {"channel": "webhook"}),
    "code": ({"code": "503"}, {"last_error_code": "503"}),
    "reference": ({"reference": "order-1"}, {"reference": "order-1"}),
    "producer": ({"producer": "shop"}, {"producer": "shop"}),
    "recipient": ({"recipients": ["ada"]}, {"recipient": "ada"}),
    "mail": (
        {"recipients": ["ada@example.org"]},
        {"channel": "email", "recipient": "Ada@Example.org"},
    ),
    "destination": (
        {"destination": "https://hooks.example"},
        {"channel": "webhook", "recipient": "https://HOOKS.example:443/orders"},
    ),
}


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_leaves_the_others_alone(db, name):
    given, columns = FILTERS[name]
    [meant] = failed(db, **columns)
    [other] = failed(db)
    assert redrive(db, **given) == (1, 1, 0, False)
    assert statuses(db, [meant, other]) == ["queued", "failed"]


def test_filters_and_ids_narrow_together(db):
    [both] = failed(db, channel="webhook", last_error_code="503")
    failed(db, channel="webhook", last_error_code="404")
    failed(db, channel="email", last_error_code="503")
    meant = {"channel": "webhook", "code": "503"}
    assert redrive(db, dry_run=True, **meant).matched == 1
    assert redrive(db, dry_run=True, ids=[both], code="404").matched == 0
    assert redrive(db, ids=[both], **meant).redriven == 1


def test_times_are_those_of_creation_and_the_end_is_left_out(db):
    # Within one millisecond ids are in any order on PostgreSQL 15.
    first, second, third = sorted(failed(db, 3), key=lambda id: row(db, id).created_at)
    times = [row(db, id).created_at for id in (first, second, third)]
    chosen = {"from": times[1], "until": times[2]}
    assert redrive(db, **chosen) == (1, 1, 0, False)
    assert statuses(db, [first, second, third]) == ["failed", "queued", "failed"]
    assert redrive(db, dry_run=True, until=times[1]).matched == 1
    assert redrive(db, dry_run=True, **{"from": times[1]}).matched == 1


@pytest.mark.parametrize(
    "end", ["-infinity", "infinity", "0001-01-01 BC", "1969-12-31", "294276-01-01"]
)
def test_times_of_any_age_are_understood(db, end):
    failed(db, 2)
    in_past = not end.startswith(("inf", "29"))
    assert redrive(db, dry_run=True, **{"from": end}).matched == (2 if in_past else 0)
    assert redrive(db, dry_run=True, until=end).matched == (0 if in_past else 2)


def test_unknown_doubled_and_no_ids_are_harmless(db):
    [id] = failed(db)
    assert redrive(db, ids=[]) == redrive(db, ids=[uuid4()]) == (0, 0, 0, False)
    assert redrive(db, ids=[id, uuid4(), id, None]) == (1, 1, 0, False)


def test_an_attempt_number_that_only_rises_is_a_key_of_attempts(db):
    [id] = enqueue(db, max_attempts=1)
    for attempt in range(1, 6):
        [got] = claim(db, [id])
        assert got.attempt == attempt
        assert [s.status for s in settle(db, [got], "permanent")] == ["failed"]
        assert settle(db, [SimpleNamespace(id=id, attempt=attempt - 1)]) == []
        redrive(db, ids=[id], attempts=1)
    assert len(attempts_of(db, id)) == 5


def test_what_is_too_much_for_one_look_is_redriven_in_pieces(db):
    others = failed(db, 30, last_error_code="404")
    meant = failed(db, 5, last_error_code="503")
    pieces = redrive_in_pieces(db, look_max=512, code="503")
    assert len(pieces) >= 3
    assert [p.more for p in pieces] == [True] * (len(pieces) - 1) + [False]
    assert sum(p.redriven for p in pieces) == sum(p.matched for p in pieces) == 5
    assert statuses(db, meant) == ["queued"] * 5
    assert statuses(db, others) == ["failed"] * 30


def test_pieces_that_end_at_the_limit_go_on_after_it(db):
    ids = failed(db, 7)
    pieces = redrive_in_pieces(db, look_max=20_000, limit=3, dry_run=True)
    assert [(p.matched, p.more) for p in pieces] == [(3, True), (3, True), (1, False)]
    assert [p.following for p in pieces] == [ids[2], ids[5], None]


def test_a_limit_that_is_just_enough_leaves_nothing(db):
    failed(db, 3)
    [piece] = redrive_in_pieces(db, look_max=20_000, limit=3)
    assert (piece.matched, piece.more, piece.following) == (3, False, None)


def test_the_function_of_before_may_stay_beside_this_one(db):
    """Old code calls it through a deploy."""
    with db.transaction():
        db.execute(
            "create function notify.redrive(p_look_max integer, p_after uuid, p_ids uuid[],"
            " p_channel text, p_code text, p_reference text, p_from timestamptz,"
            " p_until timestamptz, p_limit integer, p_attempts integer, p_rate double precision,"
            " p_dry_run boolean) returns integer language sql as 'select 7'"
        )
        twelve = ", ".join(["null"] * 12)
        assert db.execute(f"select notify.redrive({twelve}) as n").fetchone().n == 7
        fifteen = [100, None, None, "log", *[None] * 7, 10, 4, 100.0, True]
        places = ", ".join(["%s"] * 15)
        found = db.execute(f"select * from notify.redrive({places})", fifteen).fetchone()
        assert found == (0, 0, 0, False, None)
        raise psycopg.Rollback
