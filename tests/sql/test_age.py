"""How long a notification could have been sent, whatever its times are."""

from datetime import timedelta
from itertools import product

import pytest

AT = "2026-07-01 12:00:00Z"
TIMES = ("infinity", "-infinity", "2026-07-01 11:59:50Z", "2026-07-02Z", "1000-01-01Z")


@pytest.fixture
def db(shared_db):
    return shared_db


def age(db, created_at, send_at):
    query = "select notify.age(%s, %s, %s) as age"
    return db.execute(query, [AT, created_at, send_at]).fetchone().age


def test_it_counts_from_the_later_of_the_two(db):
    assert age(db, "2026-07-01 11:59:50Z", None) == timedelta(seconds=10)
    assert age(db, "2026-07-01 11:59:50Z", "2026-07-01 11:59:57Z") == timedelta(seconds=3)


@pytest.mark.parametrize(("created_at", "send_at"), list(product(TIMES, (None, *TIMES))))
def test_it_is_never_negative_infinite_or_an_error(db, created_at, send_at):
    assert timedelta(0) <= age(db, created_at, send_at) <= timedelta(days=36525)
