"""Leases that a clock which was ahead has given are cut to what a claim is given now."""

from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from tests.ledger import ago, put, row, settle

EVERY_DAY = (UUID(int=0), UUID(int=2**128 - 1))


@pytest.fixture
def db(shared_db):
    return shared_db


def cut(db, lease="30 seconds", limit=1000):
    query = "select notify.mend_leases(%s, %s, %s, %s) as n"
    return db.execute(query, [*EVERY_DAY, lease, limit]).fetchone().n


def test_a_lease_that_is_too_long_is_cut_and_its_worker_may_still_settle(db):
    then = ago(db, "-2 hours")
    id = put(db, "sending", lease_until=then, first_claimed_at=then)
    assert cut(db) == 1
    now = ago(db, "0 s")
    assert timedelta(seconds=20) < row(db, id).lease_until - now <= timedelta(seconds=30)
    assert row(db, id).first_claimed_at <= now
    assert cut(db) == 0
    settle(db, [row(db, id)])
    assert row(db, id).status == "sent"


def test_a_lease_that_a_right_clock_gave_stays(db):
    ids = [put(db, "sending", lease_until=ago(db, f"{s} seconds")) for s in (5, -1, -29, -33)]
    before = [row(db, id) for id in ids]
    assert cut(db) == 0
    assert [row(db, id) for id in ids] == before


def test_as_many_as_asked_for_the_latest_first(db):
    ids = [put(db, "sending", lease_until=ago(db, f"-{h} hours")) for h in range(1, 6)]
    assert [cut(db, limit=2) for _ in range(4)] == [2, 2, 1, 0]
    assert all(row(db, id).lease_until < ago(db, "-40 seconds") for id in ids)


def test_a_row_that_somebody_holds_is_not_waited_for(db, shared_url):
    held, _ = (put(db, "sending", lease_until=ago(db, "-2 hours")) for _ in range(2))
    with psycopg.connect(shared_url) as holder:
        holder.execute("select from notify.notifications where id = %s for update", [held])
        assert cut(db) == 1
    assert cut(db) == 1


def test_odd_rows_stop_no_other_and_do_not_count(db):
    refused, skipped, *others = (
        put(db, "sending", lease_until=ago(db, "-2 hours")) for _ in range(5)
    )
    db.execute(
        "create function notify.odd() returns trigger language plpgsql as"
        f" $$ begin if new.id = '{refused}' then raise 'no'; end if;"
        f" if new.id = '{skipped}' then return null; end if; return new; end $$;"
        "create trigger odd before update on notify.notifications"
        " for each row execute function notify.odd()"
    )
    try:
        assert cut(db) == len(others)
    finally:
        db.execute("drop function notify.odd() cascade")
