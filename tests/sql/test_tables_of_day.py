"""Tables of a day: the partitions that are ours, and what to ask them."""

import pytest

from tests.ledger import put
from tests.sql.long import old_id


@pytest.fixture
def old(db):
    """Make a day that is over, and give its name."""
    put(db, "sent", id=old_id(db, 5))
    [made, _] = db.execute("select * from notify.make_days(0, '6 days')").fetchall()
    return f"notify.{made.partition}"


def tables_of_day(db):
    query = "select * from notify.tables_of_day((clock_timestamp() at time zone 'utc')::date - 5)"
    return db.execute(query).fetchone()


def asked(db, query):
    return db.execute(query).fetchone()[0]


def test_both_are_named(db, old):
    day = tables_of_day(db)
    attempts = old.replace("notifications_", "attempts_")
    assert (f"notify.{day.rows}", day.tables) == (old, f"{old}, {attempts}")


def test_what_it_gives_asks_for_rows_that_are_not_settled_and_for_any(db, old):
    day = tables_of_day(db)
    assert (asked(db, day.holds), asked(db, day.fills)) == (False, True)
    put(db, "queued", id=old_id(db, 5))
    assert asked(db, day.holds)
    db.execute(f"truncate {old}")
    assert not asked(db, day.fills)


def test_a_day_that_is_not_there_has_no_tables(db):
    assert tables_of_day(db).tables is None


def test_what_is_detached_is_not_named(db, old):
    db.execute(f"alter table notify.notifications detach partition {old}")
    day = tables_of_day(db)
    assert (day.rows, day.tables) == (None, old.replace("notifications_", "attempts_"))
