"""Checkup: what `notify doctor` asks of the database."""

from tests.ledger import ago, put


def checkup(db):
    query = "select * from notify.checkup(to_regclass('notifications'))"
    return db.execute(query).fetchone()


def test_a_new_ledger_has_its_days_and_nothing_to_complain_of(db):
    seen = checkup(db)
    assert seen.server_version_num == db.info.server_version
    assert (seen.days_ahead, seen.expired_leases, seen.in_default) == (7, 0, 0)
    assert not seen.is_replica
    assert seen.finds_table


def test_days_that_a_clock_far_ahead_has_made_are_none_of_the_next(db):
    for day in range(8):
        db.execute("select notify.make_day('2099-01-01'::date + %s::int, 0)", [day])
    db.execute(
        "do $$ begin execute (select string_agg(format('drop table %s', i.inhrelid::regclass), ';')"
        " from pg_inherits i where i.inhparent = 'notify.notifications'::regclass"
        " and i.inhrelid::regclass::text ~ '_20[0-8][0-9]{5}$'); end $$"
    )
    assert checkup(db).days_ahead == 0


def test_leases_count_when_they_passed_over_a_minute_ago(db):
    put(db, "sending", lease_until=ago(db, "61 seconds"))
    put(db, "sending", lease_until=ago(db, "59 seconds"))
    put(db, "sending")
    assert checkup(db).expired_leases == 1


def test_rows_outside_their_day_are_counted(db):
    later = "overlay(notify.id_floor(now() + interval '20 days')::text placing '7' from 15 for 1)"
    [id] = db.execute(f"select {later}::uuid").fetchone()
    put(db, "queued", id=id)
    assert checkup(db).in_default == 1


def test_an_open_transaction_of_another_session_is_the_oldest(db, other_db):
    with other_db.transaction():
        other_db.execute("select now()")
        assert checkup(db).oldest_transaction_age is not None


def test_a_table_of_another_schema_hides_ours(db):
    db.execute("create table public.notifications (x int)")
    assert not checkup(db).finds_table


def test_a_path_full_of_other_names_changes_no_answer(db):
    before = checkup(db)
    db.execute(
        "create schema shop;"
        "create function shop.wrong(timestamptz, timestamptz) returns boolean"
        " language sql as 'select true';"
        "create operator shop.< (leftarg = timestamptz, rightarg = timestamptz,"
        " function = shop.wrong);"
        "create table shop.pg_inherits (inhrelid oid, inhparent regclass);"
        "create table shop.pg_stat_activity (pid int)"
    )
    put(db, "sending")
    db.execute("set search_path = shop, pg_catalog, notify")
    seen = checkup(db)
    assert (seen.days_ahead, seen.expired_leases) == (before.days_ahead, 0)
    assert seen.finds_table
