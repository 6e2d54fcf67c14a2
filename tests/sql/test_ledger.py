"""Which ledger this is: its own name, kept by its replicas, and not by its copies."""

import time


def ledger(db):
    return db.execute("select * from notify.ledger()").fetchone()


def test_it_names_itself_the_same_each_time_and_says_what_time_it_is(db, other_db):
    assert ledger(db).id == ledger(other_db).id
    assert len(bytes.fromhex(ledger(db).id)) == 8
    now_s = db.execute("select extract(epoch from clock_timestamp())::float8 as s").fetchone().s
    assert 0 <= ledger(db).now_s - now_s < 60
    assert abs(now_s - time.time()) < 60


def test_copies_of_one_database_are_ledgers_of_their_own(db, shared_db):
    rows = [each.execute("select id from notify.ledger").fetchone() for each in (db, shared_db)]
    assert rows[0] == rows[1]
    assert ledger(db).id != ledger(shared_db).id


def test_a_copy_of_all_its_files_can_be_given_a_name_of_its_own(db):
    named = ledger(db).id
    db.execute("update notify.ledger set id = gen_random_uuid()")
    assert ledger(db).id != named


def test_without_its_row_it_still_has_a_name(db):
    db.execute("delete from notify.ledger")
    assert len(ledger(db).id) == 16


def test_every_role_that_may_ask_hears_the_same_name(db):
    db.execute("create role asker")
    try:
        db.execute("grant usage on schema notify to asker")
        db.execute("grant execute on function notify.ledger() to asker")
        named = ledger(db).id
        db.execute("set role asker")
        assert ledger(db).id == named
        db.execute("reset role; revoke execute on function pg_control_system() from public")
        db.execute("set role asker")
        assert ledger(db).id == named
    finally:
        db.execute("reset role; grant execute on function pg_control_system() to public")
        db.execute("drop owned by asker; drop role asker")


def test_a_server_that_does_not_tell_who_it_is_is_named_by_the_rest(db):
    db.execute("create role asker")
    try:
        db.execute(
            "grant usage on schema notify to asker; grant select on notify.ledger to asker;"
            "alter function notify.ledger() owner to asker;"
            "revoke execute on function pg_control_system() from public"
        )
        assert len(ledger(db).id) == 16
    finally:
        db.execute("grant execute on function pg_control_system() to public")
        db.execute("reassign owned by asker to current_user; drop owned by asker; drop role asker")


def test_there_is_no_second_row(db):
    db.execute("insert into notify.ledger default values on conflict do nothing")
    assert db.execute("select count(*) as n from notify.ledger").fetchone().n == 1
