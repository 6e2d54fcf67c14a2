"""Every status met by every function: the allowed moves happen, others leave the row as it was."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.copies import discard, move_database
from tests.explaining import beat, note, state
from tests.ledger import (
    ago,
    attempts_of,
    cancel,
    cancel_matching,
    claim,
    claim_each,
    end_leases,
    put,
    reap,
    redrive,
    release,
    release_each,
    row,
    settle,
    settle_each,
)


@pytest.fixture
def db(shared_db):
    return shared_db


SQL = Path(__file__).resolve().parents[2] / "sql"
STATUSES = ("queued", "sending", "sent", "failed", "cancelled", "expired")


def by_claim(db, id):
    claim(db, [id])


def by_claim_of_any(db, id):
    claim(db)


def by_settle(outcome):
    return lambda db, id: settle(db, [current(db, id)], outcome)


def by_release(db, id):
    release(db, [current(db, id)])


def by_claim_each(db, id):
    claim_each(db, [id])


def by_settle_each(db, id):
    settle_each(db, [current(db, id)])


def by_release_each(db, id):
    release_each(db, [current(db, id)])


def by_end_leases(db, id):
    end_leases(db, [id])


def by_reap(db, id):
    reap(db)


def by_cancel(db, id):
    cancel(db, [id])


def by_cancel_matching(db, id):
    cancel_matching(db)


def by_redrive(db, id):
    redrive(db, ids=[id])


def by_redrive_of_all(db, id):
    redrive(db)


def by_bring_forward(db, id):
    db.execute(
        "select notify.bring_forward(array[%s::uuid], array[%s::timestamptz], now())",
        [id, row(db, id).due_at],
    )


def by_mend_leases(db, id):
    ends = [UUID(int=0), UUID(int=2**128 - 1)]
    db.execute("select notify.mend_leases(%s, %s, '30 seconds', 10)", ends)


def by_ask_probe(db, id):
    beat(db)
    note(db, state("", channel="email"))
    db.execute("select * from notify.ask_probe('email', '')")
    db.execute("truncate notify.workers, notify.destination_state, notify.probes")


def by_looking(db, id):
    redrive(db, dry_run=True)
    cancel_matching(db, dry_run=True)
    db.execute("select * from notify.due('{0,1,2,3}', '{null,null,null,null}', 10)")
    db.execute("select * from notify.reconcile(10)")
    db.execute("select * from notify.gauges()")
    db.execute("select * from notify.vitals()")
    db.execute("select * from notify.fold_slo(10)")
    db.execute("select * from notify.keep_partitions(7, '0 days')")


def by_discard(db, id):
    with db.transaction():
        move_database(db)
        discard(db)
        db.execute("update notify.settings set database_name = current_database()")
        db.execute("delete from notify.copies")


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
    "settle unreachable": (by_settle("unreachable"), {"sending": "queued"}),
    "settle deferred": (by_settle("deferred"), {"sending": "queued"}),
    "settle unknown": (by_settle("unknown"), {"sending": "queued"}),
    "release": (by_release, {"sending": "queued"}),
    "reap": (by_reap, {"sending": "queued"}),
    "claim_each": (by_claim_each, {"queued": "sending"}),
    "settle_each sent": (by_settle_each, {"sending": "sent"}),
    "release_each": (by_release_each, {"sending": "queued"}),
    "end_leases": (by_end_leases, {"sending": "queued"}),
    "bring_forward": (by_bring_forward, {}),
    "mend_leases": (by_mend_leases, {}),
    "ask_probe": (by_ask_probe, {}),
    "cancel": (by_cancel, {"queued": "cancelled"}),
    "cancel_matching": (by_cancel_matching, {"queued": "cancelled"}),
    "discard": (by_discard, {"queued": "cancelled", "sending": "cancelled"}),
    "redrive": (by_redrive, {"failed": "queued"}),
    "redrive of all": (by_redrive_of_all, {"failed": "queued"}),
    "due, reconcile, gauges, vitals, fold_slo, keep_partitions, a dry run": (by_looking, {}),
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
    ids = [
        put(db, "queued", attempt=2),
        put(db, "sending", attempt=2, lease_until=lapsed),
        put(db, "failed", attempt=2),
    ]
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


EXPIRED_MOVES = {
    "claim": (by_claim, {"queued": "expired"}),
    "claim of any": (by_claim_of_any, {"queued": "expired"}),
    "settle sent": (by_settle("sent"), {"sending": "sent"}),
    "settle temporary": (by_settle("temporary"), {"sending": "expired"}),
    "release": (by_release, {"sending": "queued"}),
    "reap": (by_reap, {"sending": "queued"}),
    "cancel": (by_cancel, {"queued": "cancelled"}),
    "cancel_matching": (by_cancel_matching, {"queued": "cancelled"}),
    "redrive": (by_redrive, {}),
    "redrive of all": (by_redrive_of_all, {}),
}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("move", EXPIRED_MOVES)
def test_what_has_expired_is_never_sent_again(db, status, move):
    lapsed = {"lease_until": ago(db, "1 second")} if status == "sending" else {}
    id = put(db, status, expires_at=ago(db, "1 second"), **lapsed)
    act, allowed = EXPIRED_MOVES[move]
    act(db, id)
    assert row(db, id).status == allowed.get(status, status)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("move", [name for name in MOVES if name.startswith(("settle", "release"))])
@pytest.mark.parametrize("attempt", [0, 1, 3, 99])
def test_another_number_than_the_current_one_moves_nothing(db, status, move, attempt):
    lapsed = {"lease_until": ago(db, "1 second")} if status == "sending" else {}
    id = put(db, status, attempt=2, **lapsed)
    before = row(db, id)
    stale = [SimpleNamespace(id=id, attempt=attempt)]
    act, _, outcome = move.partition(" ")
    function: Callable[..., Any] = {
        f.__name__: f for f in (release, release_each, settle, settle_each)
    }[act]
    told = function(db, stale, outcome) if outcome else function(db, stale)
    assert told == attempts_of(db, id) == []
    assert row(db, id) == before


def test_every_function_that_moves_is_tried_here():
    moving = {path.stem for path in SQL.glob("*.sql") if "-- Moves  " in path.read_text()}
    tried = {name.split()[0] for name in MOVES}
    # test_erase.py tries erase(), and so blank(), with every status, and test_ask_end.py its own:
    # rows change and do not move. Nor do they for pauses, whose functions have tests of their own.
    begin = {"enqueue", "enqueue_all", "enqueue_keyed", "send", "send_many", "put_watched"}
    begin |= {"send_again"}
    stay = {
        "requeue",
        "call_off",
        "erase",
        "blank",
        "ask_end",
        "set_aside",
        "put_off",
        "rest",
        "bring_back",
        "bring_strays_back",
        "note_refused",
    }
    assert moving - begin - stay == tried - {"due,"}


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
