"""Spans: every id belongs to one range, but those of quiet days."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

LEAST = "00000000-0000-0000-0000-000000000000"
MOST = "ffffffff-ffff-ffff-ffff-ffffffffffff"


@pytest.fixture
def db(long_db):
    return long_db


def spans(db):
    return [
        (lo and str(lo), hi and str(hi))
        for lo, hi in db.execute("select lo, hi from notify.spans()")
    ]


def test_a_ledger_that_is_not_long_is_one_range(shared_db):
    assert spans(shared_db) == [(None, None)]


def test_before_anything_was_tended_all_is_looked_at(db):
    db.execute("delete from notify.quiet_days")
    assert spans(db) == [(LEAST, MOST)]


def test_a_long_quiet_past_leaves_what_is_before_and_what_is_after(db):
    assert len(spans(db)) == 2


@given(st.sets(st.integers(3, 40)))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_ranges_and_quiet_days_cover_everything_once(db, awake):
    db.execute("update notify.quiet_days set until = 'infinity'")
    db.execute(
        "update notify.quiet_days set until = '-infinity'"
        " where (clock_timestamp() at time zone 'utc')::date - day = any (%s)",
        [list(awake)],
    )
    counted = db.execute(
        "select d.day, count(s.lo) as n, (q.until > now()) is true as quiet"
        " from generate_series(now() - interval '100 days', now() + interval '10 days', '1 day')"
        " as t cross join lateral (select (t at time zone 'utc')::date as day) d"
        " left join notify.quiet_days q using (day)"
        " cross join lateral (values (notify.id_floor(d.day::timestamp at time zone 'utc')),"
        "  (notify.id_floor((d.day + 1)::timestamp at time zone 'utc' - interval '1 ms'))) as e(id)"
        " left join lateral (select * from notify.spans()) s on e.id between s.lo and s.hi"
        " group by d.day, q.until, e.id"
    ).fetchall()
    assert {(r.n, r.quiet) for r in counted} <= {(1, False), (0, True)}


def test_a_day_with_something_for_later_is_quiet_until_then_but_not_for_a_list_of_the_queue(db):
    db.execute("update notify.quiet_days set until = now() + interval '2 hours'"
               " where (clock_timestamp() at time zone 'utc')::date - day = 20")  # fmt: skip
    assert len(spans(db)) == 2
    assert db.execute("select count(*) as n from notify.spans(true)").fetchone().n == 3
