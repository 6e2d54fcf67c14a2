"""Stretches: every id is in exactly one, whatever days there are."""

import pytest

from tests.ledger import keep_partitions

LOWEST, HIGHEST = "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"
A_DAY_OF_A_YEAR_AGO = """
insert into notify.notifications (id, channel, recipient, payload)
values ((left(notify.id_floor(now() - interval '1 year')::text, 14)
  || '7000-8000-000000000000')::uuid, 'log', 'r', '{}')
"""


def stretches(db, since=LOWEST, until=HIGHEST, days=3):
    query = "select lo::text, hi::text from notify.stretches(%s, %s, %s)"
    return [tuple(r) for r in db.execute(query, [since, until, days])]


@pytest.mark.parametrize("days", [1, 2, 3, 7, 16, 1000])
def test_they_follow_each_other_without_gap_or_overlap(db, days):
    found = stretches(db, days=days)
    assert (found[0][0], found[-1][1]) == (LOWEST, HIGHEST)
    assert [lo for lo, _ in found[1:]] == [hi for _, hi in found[:-1]]


def test_each_holds_so_many_days(db):
    days = db.execute(
        "select count(*) as n from pg_inherits where inhparent = 'notify.notifications'::regclass"
    ).fetchone()
    assert len(stretches(db, days=1)) == days.n  # the default's days come before the first
    assert len(stretches(db, days=1000)) == 2


def test_a_lonely_day_long_ago_is_one_of_them(db):
    before = len(stretches(db, days=1))
    with db.transaction():
        db.execute("set local session_replication_role = replica")  # no trigger looks at the id
        db.execute(A_DAY_OF_A_YEAR_AGO)
    assert len(stretches(db, days=1)) == before
    keep_partitions(db, retention="2 years")
    assert len(stretches(db, days=1)) == before + 1


def test_they_are_cut_to_what_is_asked(db):
    lo, hi = stretches(db, days=1)[1]
    assert stretches(db, since=lo, until=hi, days=1) == [(lo, hi)]
    middle = lo[:-1] + "5"
    assert stretches(db, since=middle, until=hi, days=1) == [(middle, hi)]
    assert stretches(db, since=lo, until=middle, days=1) == [(lo, middle)]
    assert stretches(db, since=hi, until=lo) == []
