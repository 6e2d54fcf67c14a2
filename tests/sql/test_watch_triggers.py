"""notify.watch_triggers(): the triggers of watches, whatever they are called."""

from tests.sql.watching import ORDERS, watch


def test_they_are_found_by_what_they_call(db):
    db.execute(ORDERS)
    id = watch(db, events=["delete"])
    db.execute(f'alter trigger notify_watch_{id}_open on orders rename to "a trigger"')
    db.execute(
        "create function f() returns trigger language plpgsql as 'begin return null; end';"
        "create trigger other after insert on orders execute function f()"
    )
    rows = db.execute("select * from notify.watch_triggers() order by name").fetchall()
    assert [tuple(r) for r in rows] == [
        (str(id), "a trigger", "orders"), (str(id), f"notify_watch_{id}_delete", "orders"),
    ]  # fmt: skip
