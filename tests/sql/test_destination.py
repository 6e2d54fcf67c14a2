"""notify.destination(): one destination's last hour, minute by minute, none missing."""

from itertools import pairwise

import pytest

from tests.rollups import A, B, add_minutes, counts, now_s
from tests.sql.test_destinations import fill


def hour(db, name=A, channel="webhook"):
    query = "select * from notify.destination(%s, %s)"
    return db.execute(query, [channel, name]).fetchall()


def test_no_minute_is_missing(db):
    got = hour(db)
    assert len(got) == 60
    assert {(row.sends, row.failures, row.p50_ms, row.last_code) for row in got} == {
        (0, 0, None, None)}  # fmt: skip
    ages = {(b.minute - a.minute).total_seconds() for a, b in pairwise(got)}
    assert ages == {60}
    assert 0 <= now_s(db) - got[-1].minute.timestamp() < 120


def test_a_minute_is_as_it_was_counted_and_nobody_elses(db):
    at_s = now_s(db) - 300
    row = counts(A, 1, 40, 40, failures=1, last_code="503", failed_s=at_s)
    add_minutes(db, row, counts(B, 9), counts(A, 9, channel="email"), at_s=at_s)
    [got] = [row for row in hour(db) if row.sends]
    assert (got.minute.timestamp(), got.sends, got.failures) == (at_s // 60 * 60, 3, 1)
    assert 20 < got.p50_ms < got.p99_ms <= 50
    assert got.last_code == "503"


@pytest.mark.slow  # 120,000 rows
def test_it_reads_one_row_a_minute(db):
    fill(db, 1000)
    query = (
        "select pg_stat_get_xact_tuples_returned(indexrelid) as n from pg_index"
        " where indrelid = 'notify.destination_minutes'::regclass"
    )
    with db.transaction():
        before = db.execute(query).fetchone().n or 0
        assert sum(row.sends > 0 for row in hour(db, "https://host-7.customers.example:8443")) >= 59
        assert db.execute(query).fetchone().n - before <= 60 + 5  # and what the planner looks at
