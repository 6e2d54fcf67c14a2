"""notify.book_minute(), and so fold_slo(): what ended is counted to the minute that sees it."""

import psycopg
import pytest

from tests.ledger import ago, change, claim, enqueue, fold_slo, put, redrive, settle
from tests.producers import role


def minutes(db):
    query = "select sent, in_time, failed, expired from notify.minutes order by minute"
    return [tuple(row) for row in db.execute(query)]


def book(db, *counts):
    db.execute("select notify.book_minute(%s, %s, %s, %s)", counts)


def test_what_ends_is_in_the_minute_of_its_fold(db):
    ids = enqueue(db, 6)
    change(db, ids[0], created_at=ago(db, "11 seconds"))
    settle(db, claim(db, ids[:3]))
    settle(db, claim(db, ids[3:5]), "permanent")
    claim(db, [put(db, "queued", expires_at=ago(db, "1 second"))])
    fold_slo(db)
    [got] = db.execute("select *, clock_timestamp() as now from notify.minutes").fetchall()
    assert (got.sent, got.in_time, got.failed, got.expired) == (3, 2, 2, 1)
    assert 0 <= (got.now - got.minute).total_seconds() < 120
    assert got.minute.second == got.minute.microsecond == 0


def test_a_minute_is_added_to(db):
    book(db, 3, 2, 1, 0)
    book(db, 1, 0, 0, 4)
    assert sum(sent for sent, *_ in minutes(db)) == 6
    assert [sum(column) for column in zip(*minutes(db), strict=True)] == [6, 4, 1, 4]


def test_what_is_taken_back_makes_no_minute_less(db):
    ids = enqueue(db, 2, max_attempts=1)
    settle(db, claim(db, ids), "temporary")
    fold_slo(db)
    assert redrive(db, ids=ids).redriven == 2
    fold_slo(db)
    assert minutes(db) == [(0, 0, 2, 0)]
    settle(db, claim(db, ids[:1]), "permanent")
    change(db, ids[0], settled_at=ago(db, "1 second"))
    assert redrive(db, ids=ids[:1]).redriven == 1
    fold_slo(db)
    assert sum(failed for _, _, failed, _ in minutes(db)) == 3


def test_a_fold_that_sees_nothing_makes_no_minute(db):
    fold_slo(db)
    book(db, 0, 0, 0, 0)
    assert minutes(db) == []


def test_what_is_older_than_a_day_is_deleted_a_bit_at_a_time(db):
    db.execute(
        "insert into notify.minutes (minute, sent, in_time, failed, expired)"
        " select now() - interval '25 hours' - n * interval '1 minute', 0, 0, 0, 0"
        " from generate_series(1, 150) n"
        " union all select now() - interval '23 hours', 0, 0, 0, 0"
    )
    for left in (51, 1, 1):
        book(db, 1, 0, 0, 0)
        assert len([sent for sent, *_ in minutes(db) if not sent]) == left


def test_a_role_that_may_not_write_the_table_may_fold(db, dsn):
    """As where the service has a role of its own, to which a new table is granted later."""
    settle(db, claim(db, enqueue(db, 2)))
    with role(db) as name:
        db.execute(f"grant usage on schema notify to {name}")
        for table in ("notifications", "slo_deltas", "slo_daily"):
            db.execute(f"grant select, insert, update, delete on notify.{table} to {name}")
        db.execute("do $$ begin perform notify.keep_rights(); end $$")
        with psycopg.connect(dsn, user=name, password="p", autocommit=True) as session:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute("select from notify.minutes")
            assert session.execute("select * from notify.fold_slo(10)").fetchall()
    assert minutes(db) == [(2, 2, 0, 0)]


def test_two_leaders_add_to_each_others_minutes(db, other_db):
    for leader in (db, other_db) * 3:
        settle(db, claim(db, enqueue(db, 2)))
        fold_slo(leader)
    assert [sum(column) for column in zip(*minutes(db), strict=True)] == [12, 12, 0, 0]


@pytest.mark.parametrize(
    "odd",
    [
        "lock table notify.minutes in share mode",
        "alter table notify.minutes add column more int check (more is not null)",
    ],
    ids=["a lock", "a rule"],
)
def test_what_keeps_a_minute_from_being_counted_keeps_no_count_of_the_ledger(db, dsn, odd):
    """Only pages read minutes; slo_deltas would grow."""
    settle(db, claim(db, enqueue(db, 2)))
    with psycopg.connect(dsn) as other:
        other.execute(odd)
        if "alter" in odd:
            other.commit()
        assert sum(row.ended for row in fold_slo(db)) == 2
    assert db.execute("select count(*) as n from notify.slo_deltas").fetchone().n == 0
