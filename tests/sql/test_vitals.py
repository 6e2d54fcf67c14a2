"""Vitals: how PostgreSQL itself stands."""

from contextlib import contextmanager

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import namedtuple_row

from tests.ledger import enqueue, keep_partitions


def vitals(db):
    return db.execute("select * from notify.vitals()").fetchone()


@contextmanager
def a_role(db, dsn, name):
    """Make a role that may read the schema, and connect as it."""
    database = db.info.dbname
    db.execute(f"create role {name} login password 'x'")
    db.execute(f"grant usage on schema notify to {name}")
    db.execute(f"grant select on all tables in schema notify to {name}")
    db.execute(f"grant execute on all functions in schema notify to {name}")
    target = make_conninfo(dsn, user=name, password="x")
    try:
        with psycopg.connect(target, autocommit=True, row_factory=namedtuple_row) as session:
            yield session
    finally:
        db.execute(f"drop owned by {name}")
        db.execute(f"drop role {name}")
    assert db.info.dbname == database


def test_an_idle_server_has_nothing_to_tell(db):
    now = vitals(db)
    assert now.notify_usage == 0
    assert now.oldest_transaction_age.total_seconds() == 0
    assert now.xmin_age == 0
    assert (now.notifications_in_default, now.attempts_in_default) == (0, 0)
    assert now.days_ahead == 7


def test_the_oldest_transaction_is_seen_with_what_it_holds_back(db, other_db):
    with other_db.transaction():
        other_db.execute("set transaction isolation level repeatable read")
        other_db.execute("select count(*) from notify.notifications")
        for _ in range(5):
            enqueue(db)
        now = vitals(db)
        assert now.oldest_transaction_age.total_seconds() > 0
        assert now.xmin_age >= 5
    assert vitals(db).xmin_age == 0


def test_a_prepared_transaction_and_a_slot_hold_vacuum_back_too(db):
    limits = db.execute("select current_setting('max_prepared_transactions')::int as n").fetchone()
    if limits.n:
        db.execute("begin; select pg_current_xact_id(); prepare transaction 'left'")
        for _ in range(3):
            enqueue(db)
        assert vitals(db).xmin_age >= 3
        db.execute("rollback prepared 'left'")
    assert vitals(db).xmin_age == 0


def test_a_role_that_may_not_see_other_sessions_says_that_it_does_not_know(db, dsn):
    with a_role(db, dsn, "notify_blind") as blind:
        now = vitals(blind)
        assert (now.oldest_transaction_age, now.xmin_age) == (None, None)
        assert now.notifications_bytes > 0
        db.execute("grant pg_read_all_stats to notify_blind")
        now = vitals(blind)
        assert now.oldest_transaction_age is not None
        assert now.xmin_age is not None


def test_sizes_and_dead_rows_are_those_of_all_partitions(db):
    before = vitals(db)
    ids = enqueue(db, 2000)
    db.execute("delete from notify.notifications where id = any (%s)", [ids])
    db.execute("select pg_stat_force_next_flush()")
    now = vitals(db)
    assert now.notifications_dead == before.notifications_dead + 2000
    assert now.notifications_bytes > before.notifications_bytes
    assert now.attempts_dead == 0
    assert now.attempts_bytes == before.attempts_bytes > 0


def test_rows_outside_their_day_are_counted_to_a_thousand(db):
    db.execute(
        "insert into notify.attempts_default"
        " (notification_id, attempt, started_at, outcome, worker)"
        " select notify.id_floor(now() + interval '60 days'), n, now(), 'sent', 'w:1'"
        " from generate_series(1, 1500) n"
    )
    now = vitals(db)
    assert (now.notifications_in_default, now.attempts_in_default) == (0, 1000)


def test_days_are_counted_from_tomorrow_up_to_a_week(db):
    keep_partitions(db, ahead=9)
    assert vitals(db).days_ahead == 7
    tomorrow = "notify.notifications_' || to_char((now() at time zone 'utc')::date + 1, 'YYYYMMDD')"
    db.execute(f"do $$ begin execute 'drop table {tomorrow}; end $$")
    assert vitals(db).days_ahead == 6
