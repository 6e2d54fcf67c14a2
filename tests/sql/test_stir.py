"""Stir: whatever makes an old row queued or sending, its day is looked at from that commit on."""

import psycopg
import pytest

from tests.ledger import ago, change, claim, due, put, reap, redrive, restore, row
from tests.sql.long import connected, old_id, tend

OLD = 40  # days


@pytest.fixture
def db(long_db):
    return long_db


def ids_due(db):
    return {id for lane in due(db).values() for id in lane.ids}


def dead_letter(db):
    id = old_id(db, OLD)
    put(db, "failed", id=id)
    db.execute("update notify.quiet_days set tended_at = '-infinity'")
    tend(db)
    assert ids_due(db) == set()
    return id


BY_HAND = (
    "update notify.notifications set status = 'queued', settled_at = null, due_at = now(),"
    " max_attempts = attempt + 1 where id = %s"
)


def by_redrive(db, id):
    assert redrive(db, ids=[id]).redriven == 1


def by_hand(db, id):
    db.execute(BY_HAND, [id])


def by_hand_on_its_day(db, id):
    day = db.execute("select tableoid::regclass::text as t from notify.notifications").fetchone().t
    db.execute(BY_HAND.replace("notify.notifications", day), [id])


def by_replication(db, id):
    with db.transaction():
        db.execute("set local session_replication_role = replica")
        db.execute(BY_HAND, [id])


def by_a_repeatable_read(db, id):
    with db.transaction():
        db.execute("set transaction isolation level repeatable read")
        db.execute(BY_HAND, [id])


def by_a_dump(db, id):
    db.execute("delete from notify.notifications")
    restore(db, id=id, max_attempts=2)


def by_another_role(db, id):
    db.execute("drop role if exists clerk")
    db.execute(
        "create role clerk; grant usage on schema notify to clerk;"
        " grant select, update on notify.notifications to clerk; set role clerk"
    )
    db.execute(BY_HAND, [id])
    db.execute("reset role; drop owned by clerk; drop role clerk")


@pytest.mark.parametrize(
    "again",
    [by_redrive, by_hand, by_hand_on_its_day, by_replication, by_a_repeatable_read, by_a_dump,
     by_another_role],
)  # fmt: skip
def test_what_comes_back_to_life_on_a_quiet_day_is_due_at_once(db, again):
    id = dead_letter(db)
    again(db, id)
    assert ids_due(db) == {id}
    assert [c.id for c in claim(db)] == [id]


def test_a_rollback_leaves_the_day_quiet(db):
    id = dead_letter(db)
    with pytest.raises(ZeroDivisionError), db.transaction():
        by_hand(db, id)
        assert ids_due(db) == {id}
        raise ZeroDivisionError
    assert ids_due(db) == set()
    assert db.execute("select min(until)::text as u from notify.quiet_days").fetchone().u == (
        "infinity"
    )


def test_a_lease_on_a_quiet_day_is_reaped(db):
    id = dead_letter(db)
    change(
        db, id, status="sending", settled_at=None, claimed_by="w:1",
        lease_until=ago(db, "1 minute"),
    )  # fmt: skip
    assert [(r.id, r.status) for r in reap(db)] == [(id, "queued")]
    assert row(db, id).status == "queued"


def test_what_a_disabled_trigger_did_not_see_is_found_when_the_day_is_tended(db):
    id = dead_letter(db)
    day = db.execute("select tableoid::regclass::text as t from notify.notifications").fetchone().t
    db.execute(f"alter table {day} disable trigger all")
    by_hand(db, id)
    assert ids_due(db) == set()
    db.execute("update notify.quiet_days set tended_at = now() - interval '1 hour'")
    assert tend(db)[day.removeprefix("notify.")] == "awake"
    assert ids_due(db) == {id}


def test_a_day_is_not_quiet_while_somebody_writes_to_it(db, long_url):
    id = dead_letter(db)
    db.execute("update notify.quiet_days set tended_at = '-infinity'")
    with connected(long_url) as other:
        with other.transaction():
            other.execute(BY_HAND, [id])
            assert set(tend_once(db).values()) == {"quiet", "busy"}
        assert ids_due(db) == {id}


def tend_once(db):
    rows = db.execute("select * from notify.tend_days(100)").fetchall()
    return {r.partition: r.action for r in rows}


def test_an_old_snapshot_is_refused_rather_than_the_day_lost(db, long_url):
    """Its look at quiet_days is older than the note that the day is quiet."""
    id = dead_letter(db)
    by_hand(db, id)
    claimed = claim(db, [id])
    change(db, id, status="failed", settled_at=row(db, claimed[0].id).created_at,
           lease_until=None, claimed_by=None)  # fmt: skip
    with connected(long_url) as other, pytest.raises(psycopg.errors.SerializationFailure):
        other.execute("begin isolation level repeatable read")
        other.execute("select count(*) from notify.quiet_days")
        db.execute("update notify.quiet_days set tended_at = '-infinity'")
        tend(db)
        other.execute(BY_HAND, [id])
    assert row(db, id).status == "failed"
