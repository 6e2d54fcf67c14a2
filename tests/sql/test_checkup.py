"""Checkup: what `notify doctor` asks of the database."""

from tests.ledger import ago, put


def checkup(db):
    return db.execute("select * from notify.checkup(to_regclass('notifications'))").fetchone()


def test_a_new_ledger_has_its_days_and_nothing_to_complain_of(db):
    seen = checkup(db)
    assert seen.server_version_num == db.info.server_version
    assert (seen.days_ahead, seen.expired_leases, seen.in_default) == (7, 0, 0)
    assert not seen.is_replica
    assert not seen.has_leader
    assert seen.finds_table


def test_leases_count_when_they_passed_over_a_minute_ago(db):
    put(db, "sending", lease_until=ago(db, "61 seconds"))
    put(db, "sending", lease_until=ago(db, "59 seconds"))
    put(db, "sending")
    assert checkup(db).expired_leases == 1


def test_a_leader_is_seen_from_any_session(db, other_db):
    other_db.execute("select notify.lead()")
    assert checkup(db).has_leader


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
