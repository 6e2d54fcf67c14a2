"""notify.took_at(): percentiles are read from a histogram, between the ends of its buckets."""

import pytest

from tests.rollups import BUCKETS, counts
from workers.rollups import BOUNDS_MS


def took_at(db, took, share):
    query = "select notify.took_at(%s::bigint[], %s) as ms"
    return db.execute(query, [took, share]).fetchone().ms


def test_nothing_took_no_time(shared_db):
    assert took_at(shared_db, [0] * BUCKETS, 0.5) is None
    assert took_at(shared_db, [], 0.5) is None
    assert took_at(shared_db, None, 0.5) is None


@pytest.mark.parametrize(("share", "ms"), [(0.0, 50), (0.5, 75), (0.99, 99.5), (1.0, 100)])
def test_the_sends_of_a_bucket_are_spread_over_it(shared_db, share, ms):
    took = counts("", *[80] * 10)["took"]
    assert took_at(shared_db, took, share) == pytest.approx(ms)


def test_a_percentile_lies_in_the_bucket_that_reaches_it(shared_db):
    took = counts("", *[1] * 98, 4000, 9000)["took"]
    assert took_at(shared_db, took, 0.5) < 2
    assert took_at(shared_db, took, 0.98) == pytest.approx(2)
    assert 2000 < took_at(shared_db, took, 0.99) <= 5000
    assert 5000 < took_at(shared_db, took, 0.995) <= 10_000


def test_what_took_longer_than_all_buckets_took_as_long_as_the_last_one_begins(shared_db):
    assert took_at(shared_db, counts("", 10**6)["took"], 0.5) == BOUNDS_MS[-1]


def test_a_shorter_histogram_is_one_with_nothing_above(shared_db):
    assert took_at(shared_db, [4], 0.5) == pytest.approx(1)
    assert took_at(shared_db, [0, 0], 0.5) is None
