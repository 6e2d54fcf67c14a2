"""Who holds our advisory locks: a dispatcher, or somebody who stops it."""

from contextlib import contextmanager

import psycopg
import pytest
from psycopg.rows import namedtuple_row
from psycopg.sql import SQL, Identifier

from tests.ledger import enqueue

BELL, LEAD = 1, 2
KEY = 1852798057


def holder(db, lock=LEAD):
    return db.execute("select * from notify.lock_holder(%s)", [lock]).fetchone()


def take(db, lock=LEAD, how="pg_advisory_lock"):
    db.execute(f"select {how}({KEY}, {lock})")


@contextmanager
def session(dsn, **how):
    with psycopg.connect(dsn, autocommit=True, row_factory=namedtuple_row, **how) as db:
        yield db


@pytest.fixture
def producer(db):
    """Name a role that may only INSERT, and ask."""
    role = Identifier(f"producer_of_{db.info.dbname}")
    db.execute(SQL("create role {} login password 'p'").format(role))
    db.execute(SQL("grant usage on schema notify to {}").format(role))
    db.execute(SQL("grant insert on notify.notifications to {}").format(role))
    db.execute(SQL("grant execute on all functions in schema notify to {}").format(role))
    yield role.as_string(None).strip('"')
    db.execute(SQL("drop owned by {}").format(role))
    db.execute(SQL("drop role {}").format(role))


def test_nobody_holds_it(db):
    assert holder(db) is None


def test_a_dispatcher_is_ours(db, dsn):
    with session(dsn, application_name="notify-disp") as leader:
        assert leader.execute("select notify.lead()").fetchone()[0]
        seen = holder(db)
        assert (seen.pid, seen.is_ours) == (leader.info.backend_pid, True)
        assert (seen.role, seen.application) == (leader.info.user, "notify-disp")
        assert holder(leader) is None  # itself


def test_a_name_of_the_urls_own_is_ours_as_well(db, dsn):
    with session(dsn, application_name="shop") as leader:
        leader.execute("select notify.lead()")
        assert not holder(db).is_ours
        with session(dsn, application_name="shop") as standby:
            assert holder(standby).is_ours


@pytest.mark.parametrize("how", ["pg_advisory_lock", "pg_advisory_lock_shared"])
def test_another_program_of_our_role_is_a_stranger(db, dsn, how):
    with session(dsn, application_name="psql") as stranger:
        take(stranger, how=how)
        seen = holder(db)
        assert (seen.application, seen.is_ours) == ("psql", False)
        assert not db.execute("select notify.lead() as leads").fetchone().leads


def test_a_role_that_may_not_write_the_ledger_is_a_stranger_whatever_it_calls_itself(
    db, dsn, producer
):
    with session(dsn, user=producer, password="p", application_name="notify-disp") as stranger:
        take(stranger)
        seen = holder(db)
        assert (seen.role, seen.application, seen.is_ours) == (producer, "notify-disp", False)


def test_it_is_seen_without_the_right_to_see_what_others_do(db, dsn, producer):
    with (
        session(dsn, application_name="psql") as stranger,
        session(dsn, user=producer, password="p") as reader,
    ):
        take(stranger)
        seen = holder(reader)
        assert (seen.pid, seen.application) == (stranger.info.backend_pid, "psql")
        assert not seen.is_ours


def test_a_stranger_beside_one_of_ours_is_told(db, dsn):
    with (
        session(dsn, application_name="notify-disp") as ours,
        session(dsn, application_name="psql") as stranger,
    ):
        for one in (ours, stranger):
            take(one, how="pg_advisory_lock_shared")
        assert holder(db).application == "psql"


def test_locks_of_other_names_are_none_of_ours(db, other_db):
    for key in ([KEY << 32 | LEAD], [LEAD], [KEY, 3], [LEAD, KEY]):
        other_db.execute(f"select pg_advisory_lock({', '.join(map(str, key))})")
    assert holder(db) is None


def test_a_producer_in_flight_is_no_stranger_at_the_doorbell(db, other_db):
    with other_db.transaction():
        enqueue(other_db)
        assert holder(db, BELL) is None


@pytest.mark.parametrize("how", ["pg_advisory_lock", "pg_advisory_lock_shared"])
def test_a_session_that_keeps_the_doorbell_is_a_stranger(db, other_db, how):
    take(other_db, BELL, how)
    assert holder(db, BELL).pid == other_db.info.backend_pid


def test_an_armed_dispatcher_is_none(db, dsn):
    with session(dsn, application_name="notify-disp") as asleep:
        asleep.execute("select notify.arm(5)")
        assert holder(db, BELL).is_ours
