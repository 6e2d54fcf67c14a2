"""When a row of the audit may go: when no notification of its time is kept, and it is old."""

import pytest


@pytest.fixture
def db(shared_db):
    return shared_db


def is_past(db, age, id=2_000_000, last=2_000_000):
    query = "select notify.audit_is_past(%s, clock_timestamp() - %s::interval, %s)"
    return db.execute(query, [id, age, last]).fetchone()[0]


@pytest.mark.parametrize(
    ("age", "behind", "past"),
    [("399 days", 0, False), ("401 days", 0, True), ("30 days", 999_999, False),
     ("30 days", 1_000_000, True), ("0 days", 1_000_000, False), ("-1 day", 1_500_000, False)],
)  # fmt: skip
def test_it_is_old_by_time_or_by_what_came_after(db, age, behind, past):
    assert is_past(db, age, 2_000_000 - behind) is past


def test_as_long_as_notifications_of_its_time_are_kept_it_stays(db):
    with db.transaction(force_rollback=True):
        day = db.execute("select (now() at time zone 'utc')::date - 500 as day").fetchone().day
        db.execute("select * from notify.make_day(%s, 1000)", [day])
        assert is_past(db, "501 days") is True
        assert is_past(db, "500 days") is False
        assert is_past(db, "401 days") is False
        assert is_past(db, "401 days", 1) is False
        db.execute("select notify.drop_day(%s)", [day])
        assert is_past(db, "401 days") is True
