"""The wait after an attempt that did not deliver."""

import json

import pytest

HOUR_S = 3600
NOT_COUNTED = ("throttled", "unreachable", "deferred")


@pytest.fixture
def db(shared_db):
    return shared_db


def waits(db, outcome, ended, *, counted=True, schedule=(5, 60, 600), asked=None, n=100):
    query = (
        "select extract(epoch from notify.retry_in(%s, %s, %s, %s::jsonb, %s::interval))::float"
        " as s from generate_series(1, %s)"
    )
    args = [outcome, counted, ended, json.dumps(schedule), asked, n]
    return [r.s for r in db.execute(query, args)]


@pytest.mark.parametrize(("ended", "wait_s"), [(0, 5), (1, 60), (2, 600), (3, 600), (99, 600)])
@pytest.mark.parametrize("outcome", ["temporary", "unknown", *NOT_COUNTED])
def test_a_counted_one_waits_by_the_schedule_give_or_take_a_tenth(db, outcome, ended, wait_s):
    got = waits(db, outcome, ended)
    assert 0.9 * wait_s <= min(got) < 0.95 * wait_s
    assert 1.05 * wait_s < max(got) <= 1.1 * wait_s


@pytest.mark.parametrize("schedule", ["[]", "[null]"])
def test_without_a_schedule_it_waits_a_minute(db, schedule):
    assert 54 <= min(waits(db, "temporary", 0, schedule=json.loads(schedule))) <= 66


@pytest.mark.parametrize(
    ("outcome", "first_s", "cap_s"),
    [("throttled", 1, 60), ("unreachable", 2, 60), ("deferred", 60, 900)],
)
def test_one_that_is_not_counted_waits_longer_each_time_up_to_a_bound(db, outcome, first_s, cap_s):
    for ended in range(12):
        most = min(first_s * 2**ended, cap_s)
        got = waits(db, outcome, ended, counted=False)
        assert most / 2 <= min(got) <= max(got) <= most
    assert max(waits(db, outcome, 100_000, counted=False)) <= cap_s


@pytest.mark.parametrize(("asked", "wait_s"), [("7 seconds", 7), ("3 days", HOUR_S)])
@pytest.mark.parametrize("outcome", ["throttled", "unreachable"])
def test_what_is_asked_for_is_the_wait_of_an_hour_at_most(db, outcome, asked, wait_s):
    assert set(waits(db, outcome, 20, counted=False, asked=asked)) == {wait_s}


@pytest.mark.parametrize("asked", ["0", "-1 hour", "1 millisecond"])
@pytest.mark.parametrize("outcome", NOT_COUNTED)
def test_nothing_that_is_asked_for_makes_a_busy_loop(db, outcome, asked):
    assert min(waits(db, outcome, 0, counted=False, asked=asked)) >= 1


@pytest.mark.parametrize("counted", [True, False])
def test_more_than_the_schedule_is_respected_up_to_an_hour(db, counted):
    for asked, wait_s in (("20 minutes", 1200), ("1000 years", HOUR_S)):
        assert set(waits(db, "deferred", 0, counted=counted, asked=asked)) == {wait_s}


@pytest.mark.parametrize("asked", ["0", "-1 hour", "1 second"])
def test_less_than_the_schedule_does_not_hurry_it(db, asked):
    assert min(waits(db, "temporary", 1, asked=asked)) >= 54
