"""Every status met by every function: the allowed moves happen, others leave the row as it was."""

from types import SimpleNamespace

import psycopg
import pytest

from tests.ledger import ago, attempts_of, claim, put, reap, release, row, settle


@pytest.fixture
def db(shared_db):
    return shared_db


STATUSES = ("queued", "sending", "sent", "failed", "cancelled", "expired")


def by_claim(db, id):
    claim(db, [id])


def by_claim_of_any(db, id):
    claim(db)


def by_settle(outcome):
    return lambda db, id: settle(db, [current(db, id)], outcome)


def by_release(db, id):
    release(db, [current(db, id)])


def by_reap(db, id):
    reap(db)


def by_looking(db, id):
    db.execute("select * from notify.due('{0,1,2,3}', '{null,null,null,null}', 10)")
    db.execute("select * from notify.reconcile(10)")
    db.execute("select * from notify.gauges()")
    db.execute("select * from notify.keep_partitions(7, '0 days')")


def current(db, id):
    return SimpleNamespace(id=id, attempt=row(db, id).attempt)


MOVES = {
    "claim": (by_claim, {"queued": "sending"}),
    "claim of any": (by_claim_of_any, {"queued": "sending"}),
    "settle sent": (by_settle("sent"), {"sending": "sent"}),
    "settle permanent": (by_settle("permanent"), {"sending": "failed"}),
    "settle expired": (by_settle("expired"), {"sending": "expired"}),
    "settle temporary": (by_settle("temporary"), {"sending": "queued"}),
    "settle throttled": (by_settle("throttled"), {"sending": "queued"}),
    "settle unknown": (by_settle("unknown"), {"sending": "queued"}),
    "release": (by_release, {"sending": "queued"}),
    "reap": (by_reap, {"sending": "queued"}),
    "due, reconcile, gauges, keep_partitions": (by_looking, {}),
}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("move", MOVES)
def test_only_the_allowed_moves_happen(db, status, move):
    lapsed = {"lease_until": ago(db, "1 second")} if status == "sending" else {}
    id = put(db, status, **lapsed)
    before = row(db, id)
    act, allowed = MOVES[move]
    act(db, id)
    after = row(db, id)
    assert after.status == allowed.get(status, status)
    if status not in allowed:
        assert after == before
        assert attempts_of(db, id) == []


@pytest.mark.parametrize("move", MOVES)
def test_no_move_lowers_the_attempt_or_changes_what_the_sender_said(db, move):
    lapsed = ago(db, "1 second")
    ids = [put(db, "queued", attempt=2), put(db, "sending", attempt=2, lease_until=lapsed)]
    said = (
        "id",
        "channel",
        "recipient",
        "payload",
        "priority",
        "send_at",
        "expires_at",
        "reference",
        "created_at",
    )
    before = {id: row(db, id) for id in ids}
    for id in ids:
        MOVES[move][0](db, id)
    for id in ids:
        after = row(db, id)
        assert after.attempt >= before[id].attempt
        assert [getattr(after, c) for c in said] == [getattr(before[id], c) for c in said]


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("status_is_known", "status = 'done', settled_at = now()"),
        ("priority_is_a_lane", "priority = 4"),
        ("attempt_is_within_max_attempts", "attempt = 5, max_attempts = 4"),
        ("attempt_is_within_max_attempts", "attempt = -1"),
        ("lease_if_and_only_if_sending", "status = 'sending'"),
        ("lease_if_and_only_if_sending", "lease_until = now()"),
        ("settled_at_if_and_only_if_settled", "status = 'sent'"),
        ("settled_at_if_and_only_if_settled", "settled_at = now()"),
    ],
)
def test_an_impossible_row_is_impossible(db, rule, change):
    put(db, "queued")
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        db.execute(f"update notify.notifications set {change}")
    assert caught.value.diag.constraint_name == rule
