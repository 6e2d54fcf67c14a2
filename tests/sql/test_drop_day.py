"""Drop day: parents first, so that nobody waits for it who holds what it needs."""

import threading

import pytest

from tests.ledger import enqueue, put
from tests.owner import force, owning
from tests.sql.long import connected, old_id
from tests.waiting import wait_for

PARENT = "select 1 from notify.notifications where id = 'ffffffff-ffff-ffff-ffff-ffffffffffff'"


def drop_day(db):
    query = "select notify.drop_day((clock_timestamp() at time zone 'utc')::date - 5) as done"
    return db.execute(query).fetchone().done


def exists(db, table):
    return db.execute("select to_regclass(%s) is not null as x", [table]).fetchone().x


def test_a_settled_day_goes_with_its_attempts(db, old_day):
    assert drop_day(db) == "dropped"
    assert not exists(db, old_day)
    assert not exists(db, old_day.replace("notifications_", "attempts_"))
    assert drop_day(db) == "dropped"  # by somebody else


@pytest.mark.parametrize("status", ["queued", "sending"])
def test_a_day_is_kept_for_what_is_not_settled(db, old_day, status):
    put(db, status, id=old_id(db, 5))
    assert drop_day(db) == "kept"
    assert exists(db, old_day)


def test_whoever_holds_a_parent_gets_at_the_day_while_the_drop_waits(db, other_db, dsn, old_day):
    """It used to hold the day: each waited for the other, until it gave up, for ever."""
    done = []
    with other_db.transaction():
        other_db.execute(PARENT)
        dropping = threading.Thread(target=lambda: done.append(drop_day_of(dsn)))
        dropping.start()
        wait_for(lambda: waits_for_the_parent(db))
        other_db.execute("set local lock_timeout = '20ms'")
        other_db.execute(f"select count(*) from {old_day}")
        dropping.join()
    assert done == ["busy"]
    assert exists(db, old_day)
    assert drop_day(db) == "dropped"


def drop_day_of(dsn):
    with connected(dsn) as db:
        return drop_day(db)


def waits_for_the_parent(db):
    query = (
        "select count(*) as n from pg_locks where not granted"
        " and relation = 'notify.notifications'::regclass"
    )
    return db.execute(query).fetchone().n


def test_a_parent_that_is_held_for_long_empties_the_day_and_the_drop_comes_later(
    db, other_db, old_day
):
    with other_db.transaction():
        other_db.execute(PARENT)
        assert drop_day(db) == "emptied"
        assert db.execute(f"select count(*) as n from {old_day}").fetchone().n == 0
        assert drop_day(db) == "empty"
    assert drop_day(db) == "dropped"


def test_for_a_day_that_is_empty_nobody_stands_in_the_queue_of_a_parent(db, other_db, old_day):
    said = []
    db.add_notice_handler(lambda notice: said.append(notice.message_primary))
    db.execute("set deadlock_timeout = '1ms'; set log_lock_waits = on")
    db.execute("set client_min_messages = log")
    with other_db.transaction():
        other_db.execute(PARENT)
        assert drop_day(db) == "emptied"
        assert any("still waiting for AccessExclusiveLock" in line for line in said)
        said.clear()
        assert drop_day(db) == "empty"
    assert said == []
    assert drop_day(db) == "dropped"


HOLDERS = {
    "a dump": "lock table notify.notifications in access share mode",
    "a cursor": "declare c cursor for select * from notify.notifications; fetch 1 from c",
    "a prepared transaction's lock": "lock table {old_day} in row share mode",
    "a vacuum's lock": "lock table {old_day} in share update exclusive mode",
    "an index that is built": "lock table {old_day} in share mode",
}


@pytest.mark.parametrize("name", HOLDERS)
def test_who_holds_the_day_is_waited_for_without_anybody_waiting_behind(
    db, other_db, dsn, old_day, name
):
    with other_db.transaction():
        other_db.execute(HOLDERS[name].format(old_day=old_day))
        assert drop_day(db) == "busy"
        with connected(dsn) as producer:
            producer.execute("set lock_timeout = '20ms'")
            enqueue(producer)
    assert drop_day(db) == "dropped"


def test_rows_that_stir_while_it_waits_for_the_lock_keep_the_day(db, other_db, dsn, old_day):
    done = []
    with other_db.transaction():
        other_db.execute(PARENT)
        other_db.execute(
            f"update {old_day} set status = 'queued', settled_at = null, max_attempts = 4"
        )
        dropping = threading.Thread(target=lambda: done.append(drop_day_of(dsn)))
        dropping.start()
        wait_for(lambda: waits_for_the_parent(db))
    dropping.join()
    assert done == ["kept"]


@pytest.fixture
def owner(db, dsn):
    """Let the tables be of a role that bypasses nothing, and connect as it."""
    with owning(db, dsn) as session:
        yield session


@pytest.mark.parametrize("status", ["queued", "sending"])
def test_row_security_hides_no_row_from_the_drop(db, owner, old_day, status):
    put(db, status, id=old_id(db, 5))
    force(db, old_day.removeprefix("notify."))
    assert drop_day(owner) == "failed"
    assert exists(db, old_day)


def test_attempts_that_somebody_detached_to_keep_stay(db, old_day):
    attempts = old_day.replace("notifications_", "attempts_")
    db.execute(f"alter table notify.attempts detach partition {attempts}")
    assert drop_day(db) == "dropped"
    assert not exists(db, old_day)
    assert exists(db, attempts)


def test_a_day_goes_without_the_default_partition_too(db, old_day):
    db.execute("alter table notify.notifications detach partition notify.notifications_default")
    db.execute("alter table notify.notifications_default rename to aside")
    assert drop_day(db) == "dropped"
    assert not exists(db, old_day)


def test_a_day_that_somebody_detached_to_keep_stays(db, old_day):
    db.execute(f"alter table notify.notifications detach partition {old_day}")
    assert drop_day(db) == "dropped"
    assert exists(db, old_day)
    assert not exists(db, old_day.replace("notifications_", "attempts_"))


def test_attempts_of_queued_rows_stay_though_their_day_is_gone(db, old_day):
    db.execute(f"drop table {old_day}")
    put(db, "queued", id=old_id(db, 5))
    assert drop_day(db) == "kept"
    db.execute("update notify.notifications set status = 'cancelled', settled_at = now()")
    assert drop_day(db) == "dropped"
    assert not exists(db, old_day.replace("notifications_", "attempts_"))
