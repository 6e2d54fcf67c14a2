"""How an end counts for the service level."""

import pytest


@pytest.fixture
def db(shared_db):
    return shared_db


@pytest.mark.parametrize(
    ("status", "age", "counts_as"),
    [
        ("sent", "0", "in_time"),
        ("sent", "-1 second", "in_time"),
        ("sent", "10 seconds", "in_time"),
        ("sent", "10.000001 seconds", "late"),
        ("failed", "1 second", "failed"),
        ("failed", "1 hour", "failed"),
        ("expired", "1 second", "expired"),
    ],
)
def test_only_what_is_sent_is_judged_by_its_age(db, status, age, counts_as):
    query = "select notify.slo_result(%s, %s::interval) as result"
    assert db.execute(query, [status, age]).fetchone().result == counts_as
