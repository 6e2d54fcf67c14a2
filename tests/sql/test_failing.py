"""failing(): the destinations that take nothing of what is sent to them."""

import pytest

from tests.rollups import A, B, add_minutes, counts, now_s


def failing(db, limit=5):
    return db.execute("select * from notify.failing(%s)", [limit]).fetchall()


def failed(db, name, *took, code="500", ago_s=0.0):
    return counts(name, *took, failures=len(took), last_code=code, failed_s=now_s(db) - ago_s)


def back(db, interval):
    db.execute("update notify.destination_minutes set minute = minute - %s::interval", [interval])


def test_one_that_takes_some_is_not_named(db):
    add_minutes(db, counts(A, 1), counts(B, 1, 1, failures=1, last_code="500", failed_s=now_s(db)))
    assert failing(db) == []


def test_one_that_took_nothing_is_named_with_its_last_code(db):
    add_minutes(db, failed(db, A, 1, code="timeout", ago_s=120))
    back(db, "2 minutes")
    add_minutes(db, failed(db, A, 1, 1, code="500"))
    [got] = failing(db)
    assert (got.channel, got.destination, got.sends, got.last_code) == ("webhook", A, 3, "500")


def test_one_that_took_something_in_another_minute_is_not_named(db):
    add_minutes(db, counts(A, 1))
    back(db, "10 minutes")
    add_minutes(db, failed(db, A, 1, 1))
    assert failing(db) == []


@pytest.mark.parametrize("interval", ["16 minutes", "-2 minutes"])
def test_other_minutes_do_not_count(db, interval):
    add_minutes(db, failed(db, A, 1))
    back(db, interval)
    assert failing(db) == []


def test_the_busiest_come_first_and_the_others_of_a_channel_not_at_all(db):
    add_minutes(db, failed(db, A, 1), failed(db, B, 1, 1), failed(db, "", 1, 1, 1))
    assert [row.destination for row in failing(db)] == [B, A]
    assert [row.destination for row in failing(db, 1)] == [B]
