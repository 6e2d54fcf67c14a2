"""notify.took_bounds(): the buckets of SQL are those that workers count in."""

from workers.rollups import BOUNDS_MS


def test_workers_count_in_the_same_buckets(shared_db):
    [got] = shared_db.execute("select notify.took_bounds() as bounds")
    assert tuple(got.bounds) == BOUNDS_MS
    assert list(BOUNDS_MS) == sorted(BOUNDS_MS)
