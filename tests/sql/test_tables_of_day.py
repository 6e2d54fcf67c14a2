"""Tables of a day: the partitions that are ours, and what to ask them."""

from tests.ledger import put
from tests.sql.long import old_id


def tables_of_day(db):
    query = "select * from notify.tables_of_day((clock_timestamp() at time zone 'utc')::date - 5)"
    return db.execute(query).fetchone()


def asked(db, query):
    return db.execute(query).fetchone()[0]


def test_both_are_named(db, old_day):
    day = tables_of_day(db)
    attempts = old_day.replace("notifications_", "attempts_")
    assert (f"notify.{day.rows}", day.tables) == (old_day, f"{old_day}, {attempts}")


def test_what_it_gives_asks_for_rows_that_are_not_settled_and_for_any(db, old_day):
    day = tables_of_day(db)
    assert (asked(db, day.holds), asked(db, day.fills)) == (False, True)
    put(db, "queued", id=old_id(db, 5))
    assert asked(db, day.holds)
    db.execute(f"truncate {old_day}")
    assert not asked(db, day.fills)


def test_a_day_that_is_not_there_has_no_tables(db):
    assert tables_of_day(db).tables is None


def test_what_is_detached_is_not_named(db, old_day):
    db.execute(f"alter table notify.notifications detach partition {old_day}")
    day = tables_of_day(db)
    assert (day.rows, day.tables) == (None, old_day.replace("notifications_", "attempts_"))
