"""Leading: one session at a time, asked again without harm, given up with the session."""

import psycopg
import pytest

from tests.waiting import wait_for


def lead(db):
    return db.execute("select notify.lead() as leads").fetchone().leads


def test_the_first_leads_and_the_second_stands_by(db, other_db):
    assert lead(db)
    assert not lead(other_db)


def test_asking_again_takes_the_lock_no_second_time(db, other_db):
    assert [lead(db) for _ in range(5)] == [True] * 5
    db.execute("select pg_advisory_unlock(1852798057, 2)")
    assert lead(other_db)


def test_the_standby_leads_when_the_leader_is_gone(db, dsn):
    with psycopg.connect(dsn, autocommit=True) as leader:
        assert leader.execute("select notify.lead()").fetchone()[0]
        assert not lead(db)
    assert wait_for(lambda: lead(db))


def test_databases_of_one_server_have_leaders_of_their_own(db, empty_dsn):
    from service.ledger.migrate import migrate

    migrate(empty_dsn)
    with psycopg.connect(empty_dsn, autocommit=True) as elsewhere:
        assert elsewhere.execute("select notify.lead()").fetchone()[0]
        assert lead(db)


def test_nobody_leads_where_nothing_can_be_written(db):
    db.execute("set default_transaction_read_only = on")
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        lead(db)


def test_a_path_full_of_other_names_changes_no_answer(db, other_db):
    db.execute(
        "create schema shop;"
        "create function shop.pg_try_advisory_lock(int, int) returns boolean"
        " language sql as 'select true';"
        "create table shop.pg_locks (pid int)"
    )
    assert lead(other_db)
    db.execute("set search_path = shop, pg_catalog")
    assert not lead(db)
