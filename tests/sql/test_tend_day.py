"""Tend day: what one day of the past holds, and when it must be looked at."""

import pytest

from tests.ledger import ago, put
from tests.owner import force, owning
from tests.sql.long import connected, old_id, tend


@pytest.fixture
def db(long_db):
    return long_db


def tend_day(db, days_ago):
    query = "select notify.tend_day((clock_timestamp() at time zone 'utc')::date - %s) as found"
    return db.execute(query, [days_ago]).fetchone().found


def until(db, days_ago):
    query = (
        "select until from notify.quiet_days"
        " where day = (clock_timestamp() at time zone 'utc')::date - %s"
    )
    return db.execute(query, [days_ago]).fetchone()


@pytest.mark.parametrize("status", ["sent", "failed", "cancelled", "expired"])
def test_a_day_of_settled_rows_is_quiet_for_good(db, status):
    put(db, status, id=old_id(db, 20))
    assert tend_day(db, 20) == "quiet"
    assert db.execute("select max(until) = 'infinity' as x from notify.quiet_days").fetchone().x


def test_a_day_is_quiet_until_the_first_of_its_rows_falls_due(db):
    later, first = ago(db, "-3 days"), ago(db, "-2 days")
    put(db, "queued", id=old_id(db, 20), due_at=later, priority=0)
    put(db, "queued", id=old_id(db, 20), due_at=first, priority=3)
    assert tend_day(db, 20) == "quiet"
    assert until(db, 20).until == first
    assert db.execute("select sum(queued) as n from notify.quiet_days").fetchone().n == 2


@pytest.mark.parametrize("status", ["queued", "sending"])
def test_a_day_on_which_something_is_due_or_being_sent_is_awake(db, status):
    put(db, status, id=old_id(db, 20))
    assert tend_day(db, 20) == "awake"


def test_a_day_that_is_gone_is_forgotten(db):
    db.execute("insert into notify.quiet_days values ('2020-01-01', 'infinity', 0, 0, 0, now())")
    assert tend(db) == {}  # tended just now
    db.execute("select notify.tend_day('2020-01-01')")
    query = "select count(*) as n from notify.quiet_days where day = '2020-01-01'"
    assert db.execute(query).fetchone().n == 0


def test_a_day_whose_rows_are_hidden_is_not_quiet(dsn):
    with connected(dsn) as db:
        db.execute("select notify.make_day((clock_timestamp() at time zone 'utc')::date - 20, 0)")
        put(db, "sending", id=old_id(db, 20))
        with owning(db, dsn) as owner:
            force(db, f"notifications_{day(db, 20)}")
            assert tend_day(owner, 20) == "failed"
        assert until(db, 20) is None


def day(db, days_ago):
    query = "select to_char((clock_timestamp() at time zone 'utc')::date - %s, 'YYYYMMDD') as d"
    return db.execute(query, [days_ago]).fetchone().d
