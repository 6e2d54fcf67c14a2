"""The bound of a moment: every id made from then on sorts after it, every earlier one before it."""

from datetime import UTC, datetime
from uuid import UUID

import pytest


@pytest.fixture
def db(shared_db):
    return shared_db


def id_floor(db, time):
    return db.execute("select notify.id_floor(%s) as id", [time]).fetchone().id


def test_it_is_the_moments_milliseconds_and_nothing_else(db):
    time = datetime(2026, 11, 22, 1, 2, 3, 456000, UTC)
    assert id_floor(db, time) == UUID(int=int(time.timestamp() * 1000) << 80)


def test_an_id_lies_between_the_floors_around_its_making(db):
    made = db.execute(
        "select notify.id_floor(clock_timestamp()) as low, notify.new_id() as id,"
        " notify.id_floor(clock_timestamp() + interval '2 ms') as high"
    ).fetchone()
    assert made.low < made.id < made.high
