"""Gauges: how the queue stands."""

import pytest

from tests.ledger import ago, change, claim, enqueue, settle


@pytest.fixture
def db(shared_db):
    return shared_db


def gauges(db):
    return db.execute("select * from notify.gauges()").fetchone()


def test_an_empty_ledger_has_no_oldest(db):
    assert gauges(db) == (0, 0, False, None)


def test_queued_and_sending_are_counted_and_settled_rows_are_not(db):
    ids = enqueue(db, 7)
    got = claim(db, ids[:3])
    settle(db, got[:1])
    enqueue(db, send_at=ago(db, "-1 hour"))
    now = gauges(db)
    assert (now.queued, now.sending, now.is_estimate) == (5, 2, False)


def test_the_oldest_is_the_longest_due_of_all_lanes(db):
    for priority in range(4):
        [id] = enqueue(db, priority=priority)
        change(db, id, due_at=ago(db, f"{priority + 1} hours"))
    assert 4 * 3600 <= gauges(db).oldest_due_age.total_seconds() < 5 * 3600


def test_what_falls_due_later_has_no_age(db):
    enqueue(db, send_at=ago(db, "-1 hour"))
    assert gauges(db).oldest_due_age is None


@pytest.mark.slow  # 150,000 rows
@pytest.mark.parametrize("analyzed", [False, True])
def test_a_large_queue_is_estimated_at_a_bounded_cost(db, analyzed):
    rows, exact_max = 150_000, 100_000
    db.execute("truncate notify.notifications")  # dead entries would be read as well
    db.execute("alter table notify.notifications disable trigger all")
    with db.transaction(force_rollback=True):
        enqueue(db, rows, recipient="large")
        if analyzed:
            db.execute("analyze notify.notifications")
        before = read_by_index(db)
        now = gauges(db)
        assert now.is_estimate
        assert exact_max < now.queued < 2 * rows
        assert now.sending == 0
        assert read_by_index(db) - before < exact_max + 100
    db.execute("alter table notify.notifications enable trigger all")


def read_by_index(db):
    """Give how many entries this session's transaction has read from indexes so far."""
    query = (
        "select sum(pg_stat_get_xact_tuples_returned(indexrelid))::bigint as n from pg_index i"
        " join pg_class c on c.oid = i.indrelid where c.relnamespace = 'notify'::regnamespace"
    )
    return db.execute(query).fetchone().n or 0
