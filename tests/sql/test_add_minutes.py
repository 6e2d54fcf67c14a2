"""notify.add_minutes(): workers add to each other's counts, in bounds, and forget what is old."""

import json
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.rollups import BUCKETS, A, B, add_minutes, counts, minutes, now_s
from workers.heart import MINUTE_S
from workers.rollups import WRITTEN_MAX


def test_a_minute_is_there_as_it_was_counted(db):
    at_s = now_s(db) - 60
    failed = counts(A, 3, 40, failures=1, last_code="503", failed_s=at_s)
    add_minutes(db, failed, counts("a.example", 700, channel="email"), at_s=at_s)
    mail, hook = minutes(db)
    assert hook.minute.timestamp() == at_s // MINUTE_S * MINUTE_S
    assert (hook.channel, hook.destination, hook.sends, hook.failures) == ("webhook", A, 2, 1)
    assert hook.took == failed["took"]
    assert (hook.last_code, hook.last_failed_at.timestamp()) == ("503", pytest.approx(at_s))
    assert (mail.channel, mail.sends, mail.last_code, mail.last_failed_at) == (
        "email", 1, None, None)  # fmt: skip


def test_what_others_counted_is_added_to(db):
    at_s = now_s(db)
    add_minutes(db, counts(A, 1, 1), counts(B, 9), at_s=at_s)
    add_minutes(db, counts(A, 1, 300, failures=2), at_s=at_s)
    a, b = minutes(db)
    assert (a.sends, a.failures, sum(a.took), a.took[0]) == (4, 2, 4, 3)
    assert (b.sends, b.failures) == (1, 0)


def test_the_last_failure_is_the_latest_whoever_tells_of_it_first(db):
    at_s = now_s(db)
    for code, ago_s in [("503", 5), ("dns", 1), ("500", 9)]:
        row = counts(A, 1, failures=1, last_code=code, failed_s=at_s - ago_s)
        add_minutes(db, row, at_s=at_s)
    add_minutes(db, counts(A, 1), at_s=at_s)
    [got] = minutes(db)
    assert (got.last_code, got.last_failed_at.timestamp()) == ("dns", pytest.approx(at_s - 1))


def test_a_minute_of_a_clock_that_is_wrong_is_near_now(db):
    now = now_s(db)
    for at_s in (1e300, now + 86400, 0, -1e300):
        add_minutes(db, counts(A, 1), at_s=at_s)
    old, new = minutes(db)
    assert 540 <= now - old.minute.timestamp() <= 720
    assert -60 <= now - new.minute.timestamp() <= 60
    assert (old.sends, new.sends) == (2, 2)


def test_a_time_of_a_failure_that_is_wrong_is_within_the_hour(db):
    for name, failed_s in [(A, 1e300), (B, -1e300)]:
        add_minutes(db, counts(name, 1, failures=1, last_code="x", failed_s=failed_s))
    a, b = minutes(db)
    assert now_s(db) - a.last_failed_at.timestamp() < 60
    assert 3600 <= now_s(db) - b.last_failed_at.timestamp() < 3660


def test_no_more_than_a_thousand_come_at_once(db):
    add_minutes(db, *[counts(f"https://h{n}.example", 1) for n in range(1200)])
    assert len(minutes(db)) == WRITTEN_MAX


@pytest.mark.parametrize("name", ["x" * 8192, "é" * 501])
def test_what_no_key_takes_is_left_out(db, name):
    add_minutes(db, counts(name, 1), counts(A, 1))
    assert [row.destination for row in minutes(db)] == [A]


def test_a_destination_that_is_named_twice_is_refused_by_nobody(db):
    add_minutes(db, counts(A, 1), counts(A, 1))
    assert len(minutes(db)) == 1


@pytest.mark.parametrize("buckets", [3, BUCKETS + 2])
def test_buckets_of_another_release_are_added_as_far_as_they_go(db, buckets):
    add_minutes(db, counts(A, 1))
    add_minutes(db, counts(A) | {"sends": buckets, "took": [1] * buckets})
    [got] = minutes(db)
    assert got.took == [2] + [1] * (buckets - 1) + [0] * (BUCKETS - buckets)


def test_what_is_older_than_two_hours_is_deleted_a_bit_at_a_time(db):
    db.execute(
        "insert into notify.destination_minutes"
        " select now() - interval '3 hours' - n * interval '1 minute', 'webhook', 'old' || n, 1, 0,"
        " '{1}' from generate_series(1, 2500) n"
    )
    db.execute(
        "insert into notify.destination_minutes values"
        " (now() - interval '115 minutes', 'webhook', 'kept', 1, 0, '{1}')"
    )
    for left in (500, 0, 0):
        add_minutes(db, counts(A, 1))
        assert sum(row.destination.startswith("old") for row in minutes(db)) == left
    assert {row.destination for row in minutes(db)} == {"kept", A}


def test_old_rows_that_somebody_has_locked_are_left_for_later(db, other_db):
    db.execute(
        "insert into notify.destination_minutes values"
        " (now() - interval '3 hours', 'webhook', 'old', 1, 0, '{1}')"
    )
    with other_db.transaction():
        other_db.execute("select from notify.destination_minutes for update")
        add_minutes(db, counts(A, 1))
        assert len(minutes(db)) == 2
    add_minutes(db, counts(A, 1))
    assert len(minutes(db)) == 1


def test_a_lock_is_waited_for_no_longer_than_a_moment(db, other_db):
    at_s = now_s(db)
    add_minutes(db, counts(A, 1), at_s=at_s)
    with other_db.transaction():
        other_db.execute("select from notify.destination_minutes for update")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            add_minutes(db, counts(A, 1), at_s=at_s)
    add_minutes(db, counts(A, 1), at_s=at_s)
    assert minutes(db)[0].sends == 2


def test_two_that_write_at_once_lose_nothing(dsn, db):
    at_s, names = now_s(db), [f"https://h{n}.example" for n in range(300)]

    def write(order):
        args = [json.dumps({"at": at_s, "rows": [counts(name, 1) for name in names[::order]]})]
        with psycopg.connect(dsn, autocommit=True) as conn:
            done = 0
            while done < 10:
                try:
                    conn.execute("select notify.add_minutes(%s)", args)
                    done += 1
                except psycopg.errors.LockNotAvailable:
                    continue  # what the heart does a minute later

    with ThreadPoolExecutor() as pool:
        for future in [pool.submit(write, order) for order in (1, -1)]:
            future.result()
    assert {row.sends for row in minutes(db)} == {20}


def test_adding_changes_no_index(db):
    at_s = now_s(db)
    for _ in range(20):
        add_minutes(db, counts(A, 1), at_s=at_s)
    db.execute("select pg_stat_force_next_flush()")
    query = "select * from pg_stat_user_tables where relname = 'destination_minutes'"
    got = db.execute(query).fetchone()
    assert (got.n_tup_upd, got.n_tup_hot_upd) == (19, 19)
