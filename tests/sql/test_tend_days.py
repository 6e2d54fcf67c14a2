"""Tend days: of a long ledger, those that have waited longest; of any other, none."""

import pytest

from tests.sql.long import tend


@pytest.fixture
def db(long_db):
    return long_db


def test_every_day_of_the_past_is_tended_but_the_last_two(db):
    db.execute("update notify.quiet_days set tended_at = '-infinity'")
    assert len(tend(db)) == 80 - 2
    assert tend(db) == {}


def test_what_a_clock_that_was_ahead_has_tended_is_tended_again(db):
    tend(db)
    db.execute("update notify.quiet_days set tended_at = now() + interval '70 years'")
    assert len(tend(db)) == 80 - 2


def test_who_has_waited_longest_comes_first(db):
    db.execute("update notify.quiet_days set tended_at = now() - interval '1 hour'")
    [day] = db.execute(
        "update notify.quiet_days set tended_at = now() - interval '2 hours'"
        " where day = (select min(day) from notify.quiet_days)"
        " returning 'notifications_' || to_char(day, 'YYYYMMDD') as name"
    ).fetchall()
    assert db.execute("select * from notify.tend_days(1)").fetchall() == [("quiet", day.name)]


def test_a_short_ledger_is_looked_at_whole(shared_db):
    shared_db.execute("insert into notify.quiet_days values (now(), 'infinity', 0, 0, 0, now())")
    assert tend(shared_db) == {}
    assert shared_db.execute("select count(*) as n from notify.quiet_days").fetchone().n == 0
