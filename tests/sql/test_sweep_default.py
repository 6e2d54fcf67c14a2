"""Sweep default: what is old and came too late for its day goes row by row."""

from tests.ledger import attempts_of, claim, put, row, settle
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
