"""Erasing a person: what says who it was goes, every figure stays, and what is left is told."""

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle

import psycopg
import pytest
from psycopg.rows import namedtuple_row

from tests.ledger import (
    attempts_of,
    cancel,
    change,
    claim,
    counted,
    ended,
    enqueue,
    forget_audit,
    put,
    reap,
    redrive,
    row,
    settle,
    take_back,
)
from tests.owner import force, owning
from tests.sql.faults import FAULTS, ODD
from tests.sql.long import old_id

WHO = "ada@example.org"
SECRET = "Ada Lovelace"
MAIL = {"channel": "email", "payload": json.dumps({"subject": SECRET, "text": "t"})}
STATUSES = ("queued", "sending", "sent", "failed", "cancelled", "expired")
FIELDS = ("matched", "erased", "cancelled", "attempts", "keys", "sending", "locked", "refused")


@pytest.fixture
def db(faulty_db):
    forget_audit(faulty_db)
    faulty_db.execute("delete from notify.idempotency_keys")
    faulty_db.execute("delete from notify.idempotency_keys_before")
    return faulty_db


def erase_once(
    db, recipients=(WHO,), reference=None, *, after=None, limit=1000, look=20_000, dry_run=False
):
    recipients = None if recipients is None else list(recipients)
    query = "select * from notify.erase(%s::text[], %s, %s::uuid, %s, %s, %s)"
    return db.execute(query, [recipients, reference, after, limit, look, dry_run]).fetchone()


def erase(db, *args, **options):
    """Erase piece by piece; the sums that are not zero."""
    pieces = [erase_once(db, *args, **options)]
    while (after := pieces[-1].following) is not None:
        pieces.append(erase_once(db, *args, after=after, **options))
    sums = {name: sum(getattr(piece, name) for piece in pieces) for name in FIELDS}
    return {name: n for name, n in sums.items() if n}


def everything(db):
    """Give all texts of the ledger, but its functions."""
    tables = ("notifications", "attempts", "idempotency_keys", "idempotency_keys_before", "audit")
    return " ".join(
        str(db.execute(f"select coalesce(jsonb_agg(to_jsonb(t)), '[]') as x from notify.{table} t")
            .fetchone().x) for table in tables)  # fmt: skip


def a_life(db, outcome="permanent", **columns):
    """Send one whose answer quotes it; its id."""
    [id] = enqueue(db, 1, recipient=WHO, reference=f"order of {SECRET}", **(MAIL | columns))
    settle(db, claim(db, [id]), outcome, code="550", excerpt=f"no {SECRET} <{WHO}>")
    return id


@pytest.mark.parametrize("outcome", ["permanent", "sent"])
def test_nothing_that_says_who_stays_and_every_figure_does(db, outcome):
    id = a_life(db, outcome)
    before, attempts, figures = row(db, id), attempts_of(db, id), (counted(db), ended(db))
    assert erase(db) == {"matched": 1, "erased": 1, "attempts": 1}
    assert SECRET not in everything(db)
    assert WHO not in everything(db)
    now = row(db, id)
    assert (now.recipient, now.payload, now.reference) == ("erased", None, None)
    same = ("channel", "status", "attempt", "created_at", "settled_at", "last_error_code")
    assert [getattr(now, c) for c in same] == [getattr(before, c) for c in same]
    assert attempts_of(db, id) == [a._replace(excerpt=None) for a in attempts]
    assert (counted(db), ended(db)) == figures


@pytest.mark.parametrize("status", STATUSES)
def test_each_status_is_erased_or_told(db, status):
    id = put(db, status, recipient=WHO)
    before = row(db, id)
    done = erase(db)
    now = row(db, id)
    if status == "sending":
        assert (done, now) == ({"matched": 1, "sending": 1}, before)
        return
    is_queued = status == "queued"
    assert done == {"matched": 1, "erased": 1} | ({"cancelled": 1} if is_queued else {})
    assert now.status == ("cancelled" if is_queued else status)
    assert now.recipient == "erased"


def test_a_dry_run_tells_the_same_and_changes_nothing(db):
    for status in STATUSES:
        put(db, status, recipient=WHO)
    a_life(db)
    before = everything(db)
    told = erase(db, dry_run=True)
    assert everything(db) == before
    assert erase(db) == told == {"matched": 7, "erased": 6, "cancelled": 1, "attempts": 1,
                                 "sending": 1}  # fmt: skip


def test_by_reference(db):
    ids = enqueue(db, 2, reference="ada") + enqueue(db, 1, reference="bob")
    assert erase(db, None, "ada") == {"matched": 2, "erased": 2, "cancelled": 2}
    assert [row(db, id).recipient for id in ids] == ["erased", "erased", "r"]


def test_nobody_is_nobody(db):
    enqueue(db, 3)
    assert erase(db, None) == erase(db, ()) == {}


def test_a_second_time_there_is_nothing_left(db):
    a_life(db)
    erase(db)
    assert erase(db) == erase(db, ("erased",)) == {}


def test_whose_payload_was_emptied_before_is_erased_too(db):
    id = put(db, "sent", recipient=WHO, payload="null", emptied_at="2026-01-01Z")
    assert erase(db) == {"matched": 1, "erased": 1}
    assert row(db, id).recipient == "erased"


def test_the_keys_go_from_both_tables_and_others_stay(db):
    ids = enqueue(db, 3, recipient=WHO)
    for id, producer, key in zip(ids, "aab", ("k1", "k2", "k1"), strict=True):
        change(db, id, producer=producer, idempotency_key=key)
    insert = "insert into notify.{} values (%s, %s, 0, %s, now())"
    db.execute(insert.format("idempotency_keys"), ["a", "k1", ids[0]])
    db.execute(insert.format("idempotency_keys_before"), ["a", "k2", ids[1]])
    db.execute(insert.format("idempotency_keys"), ["b", "k1", old_id(db, 1)])  # another's by now
    told = erase(db, dry_run=True)
    assert erase(db) == told == {"matched": 3, "erased": 3, "cancelled": 3, "keys": 2}
    assert db.execute("select producer from notify.idempotency_keys").fetchall() == [("b",)]
    assert db.execute("select * from notify.idempotency_keys_before").fetchall() == []
    assert {row(db, id).idempotency_key for id in ids} == {None}


def test_a_request_that_is_repeated_with_a_forgotten_key_is_a_new_one(db):
    enqueue(db, 1, recipient=WHO, idempotency_key="k")
    assert enqueue(db, 1, recipient=WHO, idempotency_key="k") == []
    assert erase(db) == {"matched": 1, "erased": 1, "cancelled": 1, "keys": 1}
    [id] = enqueue(db, 1, recipient=WHO, idempotency_key="k")
    assert row(db, id).status == "queued"


@pytest.mark.parametrize("pieces", [{"limit": 2}, {"look": 1}, {"limit": 1000}])
def test_pieces_of_any_size_do_the_same_over_all_days(db, pieces):
    ids = [put(db, "sent", id=old_id(db, days), recipient=WHO) for days in (40, 3, 2, 1)]
    ids += [put(db, "sent", recipient=WHO) for _ in range(3)]
    other = put(db, "sent", recipient="bob")
    assert erase(db, **pieces) == {"matched": 7, "erased": 7}
    assert {row(db, id).recipient for id in ids} == {"erased"}
    assert row(db, other).recipient == "bob"


def test_what_it_did_is_in_the_audit_without_saying_whom(db):
    a_life(db)
    enqueue(db, 1, recipient=WHO)
    erase(db, dry_run=True)
    erase(db)
    erase(db)
    [use] = db.execute("select * from notify.audit").fetchall()
    assert (use.actor, use.verb) == (db.info.user, "erase")
    assert use.detail == {
        "by": "recipient", "notifications": 2, "cancelled": 1, "attempts": 1, "keys": 0
    }  # fmt: skip


def test_what_is_locked_is_told_and_nobody_waits(db, shared_url):
    ids = [put(db, status, recipient=WHO) for status in ("queued", "sent", "sent")]
    db.execute("set lock_timeout = '1s'")
    with psycopg.connect(shared_url, row_factory=namedtuple_row) as other:
        hold = "select from notify.notifications where id = any(%s) for update"
        other.execute(hold, [ids[:2]])
        assert erase(db) == {"matched": 3, "erased": 1, "locked": 2}
        other.rollback()
    assert erase(db) == {"matched": 2, "erased": 2, "cancelled": 1}


def test_two_who_erase_the_same_at_once_share_it(db, shared_url):
    ids = [put(db, "sent", recipient=WHO) for _ in range(3)]
    with psycopg.connect(shared_url, row_factory=namedtuple_row) as other:
        assert erase_once(other).erased == 3
        assert erase(db) == {"matched": 3, "locked": 3}
        other.commit()
    assert erase(db) == {}
    assert {row(db, id).recipient for id in ids} == {"erased"}


def test_a_worker_that_comes_back_late_brings_nothing_back(db):
    [id] = enqueue(db, 1, recipient=WHO)
    late = claim(db, [id])
    take_back(db, id)
    assert erase(db) == {"matched": 1, "erased": 1, "cancelled": 1}
    before = row(db, id), attempts_of(db, id)
    assert settle(db, late, "permanent", excerpt=SECRET) == []
    assert (row(db, id), attempts_of(db, id)) == before


def test_what_is_being_sent_is_erased_when_it_has_ended(db):
    [id] = enqueue(db, 1, recipient=WHO)
    got = claim(db, [id])
    assert erase(db) == {"matched": 1, "sending": 1}
    settle(db, got, "temporary", excerpt=SECRET)
    assert erase(db) == {"matched": 1, "erased": 1, "cancelled": 1, "attempts": 1}
    assert SECRET not in everything(db)


def test_beside_workers_that_send_repeating_it_leaves_nothing(db, shared_url):
    ids = enqueue(db, 200, recipient=WHO)
    outcomes = cycle(("sent", "temporary", "permanent", "unknown"))

    def work():
        with psycopg.connect(shared_url, autocommit=True, row_factory=namedtuple_row) as own:
            while got := claim(own, limit=7):
                outcome = next(outcomes)
                while got:  # the eraser may hold one for a moment
                    settled = settle(own, got, outcome, excerpt=SECRET, schedule=(0,))
                    locked = {s.id for s in settled if s.status == "locked"}
                    got = [claimed for claimed in got if claimed.id in locked]

    with ThreadPoolExecutor(2) as pool:
        working = [pool.submit(work) for _ in range(2)]
        while erase(db, limit=50).get("matched"):
            pass
        for each in working:
            each.result()
    assert {row(db, id).recipient for id in ids} == {"erased"}
    assert SECRET not in everything(db)
    assert counted(db) == ended(db)


def test_no_verb_moves_it_again(db):
    id = put(db, "failed", recipient=WHO)
    erase(db)
    assert redrive(db, ids=[id]).matched == redrive(db, channel="log").matched == 0
    assert claim(db, [id]) == reap(db) == []
    assert [c.was_cancelled for c in cancel(db, [id])] == [False]


@pytest.mark.parametrize("status", ["queued", "sent"])
@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("among", [1, 9])
def test_one_that_a_trigger_holds_is_told_and_the_others_go(db, name, status, among):
    ids = sorted(put(db, status, recipient=WHO) for _ in range(among))
    change(db, ids[among // 2], reference=ODD)
    strikes = FAULTS[name].replace("new.reference", "old.reference")
    strikes = strikes.replace(f"reference is distinct from '{ODD}' or status = 'STAYS'",
                              f"id <> '{ids[among // 2]}' or status = 'queued'")  # fmt: skip
    db.execute(strikes)
    done = erase(db)
    others = {"erased": among - 1} if among > 1 else {}
    if status == "queued" and others:
        others["cancelled"] = among - 1
    assert done == {"matched": among, "refused": 1} | others
    assert row(db, ids[among // 2]).recipient == WHO


def test_quiet_days_stay_quiet(long_db):
    ids = [put(long_db, "sent", id=old_id(long_db, 70), recipient=WHO)]
    ids += [put(long_db, "queued", id=old_id(long_db, 40), recipient=WHO, due_at="2100-01-01Z")]
    look = "select day, until::text from notify.quiet_days order by day"
    before = long_db.execute(look).fetchall()
    assert erase(long_db) == {"matched": 2, "erased": 2, "cancelled": 1}
    assert long_db.execute(look).fetchall() == before


def test_a_person_whose_rows_are_hidden_is_not_reported_as_absent(db, shared_url):
    put(db, "sent", channel="email", recipient=WHO, payload=MAIL["payload"])
    with owning(db, shared_url) as owner:
        force(db, "notifications")
        try:
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
                erase_once(owner)
        finally:
            db.execute("alter table notify.notifications disable row level security")
            db.execute("alter table notify.notifications no force row level security")
