"""The wait before the next attempt: exponential, bounded, with equal jitter."""

import pytest


@pytest.fixture
def db(shared_db):
    return shared_db


def waits(db, attempt, *, base="2 seconds", cap="15 minutes", retry_after=None, n=200):
    query = (
        "select extract(epoch from notify.backoff(%s, %s::interval, %s::interval,"
        " %s::interval))::float as s from generate_series(1, %s)"
    )
    return [r.s for r in db.execute(query, [attempt, base, cap, retry_after, n])]


@pytest.mark.parametrize(("attempt", "most"), [(1, 2), (2, 4), (3, 8), (5, 32)])
def test_it_doubles_with_every_attempt_and_spreads_over_its_upper_half(db, attempt, most):
    got = waits(db, attempt)
    assert most / 2 <= min(got) < most * 0.6
    assert most * 0.9 < max(got) <= most


@pytest.mark.parametrize("attempt", [10, 30, 1000, 2**31 - 1])
def test_it_never_passes_the_cap(db, attempt):
    got = waits(db, attempt)
    assert 450 <= min(got) <= max(got) <= 900


def test_the_largest_settings_do_not_overflow(db):
    assert max(waits(db, 100, base="1 hour", cap="1 day")) <= 86400


@pytest.mark.parametrize(
    ("retry_after", "expected"), [("1 minute", 60), ("2 days", 3600), ("1000 years", 3600)]
)
def test_a_longer_retry_after_replaces_it_up_to_an_hour(db, retry_after, expected):
    assert set(waits(db, 1, retry_after=retry_after, n=5)) == {expected}


@pytest.mark.parametrize("retry_after", [None, "0", "-1 hour", "1 millisecond"])
def test_a_shorter_retry_after_does_not_hurry_it(db, retry_after):
    assert min(waits(db, 1, retry_after=retry_after)) >= 1
