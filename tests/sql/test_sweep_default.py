"""Sweep default: what is old and came too late for its day goes row by row."""

import pytest

from tests.ledger import attempts_of, claim, put, row, settle
from tests.owner import force, owning
from tests.sql.long import old_id


def sweep(db, retention="30 days", limit=100):
    query = "select * from notify.sweep_default(%s::interval, %s)"
    return [tuple(r) for r in db.execute(query, [retention, limit])]


def test_what_is_settled_and_old_goes_with_its_attempts_and_the_rest_stays(db):
    gone, stays, young = (old_id(db, days) for days in (40, 41, 20))
    for id in (gone, stays, young):
        put(db, "queued", id=id)
    settle(db, claim(db, [gone, young]))
    settle(db, claim(db, [stays]), "temporary")
    assert sweep(db) == []
    assert row(db, gone) is None
    assert attempts_of(db, gone) == []
    assert row(db, stays).status == "queued"
    assert len(attempts_of(db, stays)) == len(attempts_of(db, young)) == 1


def test_a_call_is_bounded(db):
    for _ in range(3):
        put(db, "sent", id=old_id(db, 40))
    sweep(db, limit=2)
    assert db.execute("select count(*) as n from notify.notifications").fetchone().n == 1


def test_what_cannot_be_deleted_is_told(db):
    db.execute("create table public.o (n uuid references notify.notifications (id))")
    id = old_id(db, 40)
    put(db, "sent", id=id)
    db.execute("insert into public.o values (%s)", [id])
    assert sweep(db) == [("failed", "notifications_default")]


def deletes(act, table="notifications", column="id"):
    """Write a trigger that does `act` when the row of that id is deleted."""
    return f"""
    create function public.fault() returns trigger language plpgsql as $$
    begin if old.{column} = '%s' then {act} end if; return old; end $$;
    create trigger fault before delete on notify.{table}
    for each row execute function public.fault();
    """


def left(db, table="notifications", column="id"):
    return [r.id for r in db.execute(f"select {column} as id from notify.{table}")]


@pytest.mark.parametrize("act", ["raise exception 'no';", "assert false, 'no';", "return null;"])
@pytest.mark.parametrize("limit", [1, 100])
def test_one_that_cannot_be_deleted_keeps_no_other(db, act, limit):
    ids = sorted(old_id(db, 40 + n) for n in range(10))
    for id in ids:
        put(db, "queued", id=id)
        settle(db, claim(db, [id]))
    db.execute(deletes(act) % ids[0])
    for _ in ids:
        assert sweep(db, limit=limit) == [("failed", "notifications_default")]
    assert left(db) == [ids[0]]
    assert left(db, "attempts", "notification_id") == [ids[0]]


@pytest.mark.parametrize("act", ["raise exception 'no';", "assert false, 'no';"])
def test_an_attempt_that_cannot_be_deleted_keeps_no_other(db, act):
    ids = sorted(old_id(db, 40 + n) for n in range(10))
    for id in ids:
        put(db, "queued", id=id)
        settle(db, claim(db, [id]))
    db.execute(deletes(act, "attempts", "notification_id") % ids[4])
    assert sweep(db) == [("failed", "attempts_default")]
    assert left(db) == []
    assert left(db, "attempts", "notification_id") == [ids[4]]


def test_attempts_of_what_stays_keep_no_others(db):
    stays, gone = sorted(old_id(db, days) for days in (50, 40))
    for id in (stays, gone):
        put(db, "queued", id=id)
    settle(db, claim(db, [stays]), "temporary")
    settle(db, claim(db, [gone]))
    assert sweep(db, limit=1) == []
    assert left(db, "attempts", "notification_id") == [stays]


def test_a_row_that_somebody_holds_is_not_waited_for(db, other_db):
    held, gone = (old_id(db, days) for days in (40, 41))
    for id in (held, gone):
        put(db, "sent", id=id)
    with other_db.transaction():
        other_db.execute("select from notify.notifications where id = %s for update", [held])
        assert sweep(db) == []
        assert left(db) == [held]
    assert sweep(db) == []
    assert left(db) == []


def test_attempts_of_rows_that_are_hidden_stay(db, dsn):
    id = old_id(db, 40)
    put(db, "queued", id=id)
    settle(db, claim(db, [id]), "temporary")
    with owning(db, dsn) as owner:
        force(db, "notifications")
        assert ("failed", "attempts_default") in sweep(owner)
    assert len(attempts_of(db, id)) == 1
