"""notify.now(): one row, whatever there is, with the numbers of the screen Now."""

import psycopg
import pytest

from tests.rollups import note_figures


def now(db):
    [got] = db.execute("select * from notify.now()").fetchall()
    return got


def test_an_empty_ledger_has_a_row_too(db):
    assert now(db) == (None, None, None, None, None, None, None, None, 0, 0, 0)


def test_the_newest_figures_are_shown_with_their_age(db):
    note_figures(db, "2 minutes", queued=99, leader="h:old")
    note_figures(db, "1 minute", queued=5, leader="h:2", sending=3, quiet=2, oldest_due_s=1.5)
    got = now(db)
    assert 60 <= got.age_s < 120
    assert (got.leader, got.queued, got.quiet, got.sending) == ("h:2", [0, 0, 5, 0], 2, 3)
    assert (got.is_estimate, got.oldest_due_s) == (False, 1.5)


def test_what_failed_in_the_last_hour_is_added_up(db):
    db.execute(
        "insert into notify.minutes (minute, sent, in_time, failed, expired)"
        " select now() - n * interval '15 minutes', 0, 0, 1, 0 from generate_series(-2, 8) n"
    )
    assert now(db).failed == 4


def test_what_was_sent_today_is_added_up(db):
    db.execute(
        "insert into notify.slo_daily (day, channel, priority, in_time, late, failed)"
        " select (clock_timestamp() at time zone 'utc')::date - n, c, 2, 10, 1, 5"
        " from unnest('{0,1}'::int[]) n, unnest('{log,email}'::text[]) c"
    )
    got = now(db)
    assert (got.in_time, got.late) == (20, 2)


def test_without_its_schema_now_is_that_of_postgresql(db):
    db.execute("set search_path = notify, public")
    [got] = db.execute("select now() as at, pg_typeof(now())::text as kind")
    assert got.kind == "timestamp with time zone"


def test_it_reads_by_keys_alone(db):
    db.execute(
        "insert into notify.figures select now() - n * interval '5 s', 'h', '{0,0,0,0}', 0, 0,"
        " false, null from generate_series(1, 720) n;"
        "insert into notify.minutes (minute, sent, in_time, failed, expired)"
        " select now() - n * interval '1 minute', 0, 0, 0, 0 from generate_series(1, 1440) n;"
        "insert into notify.slo_daily (day, channel, priority)"
        " select current_date - n, 'log', 2 from generate_series(0, 3000) n;"
        "analyze notify.figures, notify.minutes, notify.slo_daily"
    )
    query = (
        "select relname, coalesce(pg_stat_get_xact_tuples_returned(relid), 0) as n"
        " from pg_stat_user_tables where relname in ('figures', 'minutes', 'slo_daily')"
    )
    with db.transaction():
        before = {row.relname: row.n for row in db.execute(query)}
        now(db)
        assert {row.relname: row.n for row in db.execute(query)} == before  # no seq scan


def test_a_role_that_only_reads_may_call_it(db, dsn):
    with psycopg.connect(dsn) as session:
        session.execute("set default_transaction_read_only = on")
        session.commit()
        assert session.execute("select failed from notify.now()").fetchone() == (0,)
    assert pytest.approx(0) == now(db).failed
