"""The audit: a row for each use, short whatever is given, and not for ever."""

import json

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.ledger import forget_audit
from tests.sql.test_plans import touched


@pytest.fixture
def db(shared_db):
    forget_audit(shared_db)
    return shared_db


def record(db, actor="shop", key_id=None, verb="cancel", detail=None):
    params = [actor, key_id, verb, None if detail is None else Jsonb(detail)]
    db.execute("select notify.record_use(%s, %s, %s, %s)", params)


def audit(db):
    return db.execute("select * from notify.audit order by id").fetchall()


def grow_old(db, age):
    forget_audit(db, change=f"update notify.audit set at = at - interval '{age}'")


def test_a_use_is_a_row(db):
    record(db, "shop", "k1", "redrive", {"matched": 3})
    record(db, "postgres", None, "erase", None)
    rows = [(r.actor, r.key_id, r.verb, r.detail) for r in audit(db)]
    assert rows == [("shop", "k1", "redrive", {"matched": 3}), ("postgres", None, "erase", {})]


def test_a_use_that_is_rolled_back_was_none(db):
    with db.transaction(force_rollback=True):
        record(db)
    assert audit(db) == []


def test_what_is_too_long_is_cut(db):
    record(db, "ä" * 1000, "k" * 1000, "v" * 1000, {"ids": ["x" * 5000]})
    [row] = audit(db)
    assert (len(row.actor), len(row.key_id), len(row.verb)) == (255, 63, 63)
    assert row.detail == {"bytes": len(json.dumps({"ids": ["x" * 5000]}))}


def test_without_an_actor_it_is_the_role_that_calls(db):
    record(db, None)
    [row] = audit(db)
    assert row.actor == db.info.user


def test_a_use_of_nothing_is_refused(db):
    with pytest.raises(psycopg.errors.NotNullViolation):
        record(db, verb=None)


def test_rows_of_more_than_400_days_go_two_at_a_time(db):
    for _ in range(5):
        record(db)
    grow_old(db, "401 days")
    record(db)
    assert len(audit(db)) == 4
    record(db)
    record(db)
    assert len(audit(db)) == 3
    record(db)
    assert len(audit(db)) == 4


def test_before_the_last_million_goes_what_no_notification_is_as_old_as(db):
    for _ in range(3):
        record(db)
    oldest, *kept = [row.id for row in audit(db)]
    query = (
        "insert into notify.audit (id, at, actor, verb) overriding system value"
        " values (%s, now() - %s::interval, 'a', 'v')"
    )
    db.execute(query, [oldest - 1_000_000, "3 days"])
    db.execute(query, [oldest - 1_000_001, "0 days"])
    record(db)
    assert [row.id for row in audit(db)][:-1] == [oldest - 1_000_001, oldest, *kept]


def test_two_at_once_do_not_wait_for_each_other(db, shared_url):
    record(db)
    grow_old(db, "401 days")
    with psycopg.connect(shared_url) as other:
        record(other)
        db.execute("set lock_timeout = '1ms'")
        record(db)
        other.rollback()
    assert len(audit(db)) == 2


def test_it_reads_no_more_than_it_may_delete(db):
    db.execute(
        "insert into notify.audit (actor, verb)"
        " select 'shop', 'cancel' from generate_series(1, 5000)"
    )
    db.execute("analyze notify.audit")
    seen = touched(db, lambda: record(db))
    assert seen.read.total() <= 10
