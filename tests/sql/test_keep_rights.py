"""What each deploy grants and revokes: PUBLIC may call nothing, and nobody loses what it may do."""

from contextlib import contextmanager

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from service.ledger.migrate import migrate
from service.ledger.schema import current_migration, functions
from tests.ledger import claim, enqueue
from tests.producers import producer, role
from tests.sql.test_producer_rights import CALLED

TABLES = "select, insert, update, delete on all tables in schema notify"


@contextmanager
def granted(db, dsn, *rights):
    """Connect as a role with some rights, granted before a deploy."""
    with role(db) as user:
        for right in ("usage on schema notify", *rights):
            db.execute(SQL(f"grant {right} to {{}}").format(Identifier(user)))
        with psycopg.connect(dsn, user=user, password="p", autocommit=True) as session:
            yield session


def callable_by(db, user):
    """Name the functions that a role may call."""
    query = (
        "select proname::text as name from pg_proc where pronamespace = 'notify'::regnamespace"
        " and has_function_privilege(%s, oid, 'execute') order by 1"
    )
    return {r.name for r in db.execute(query, [user])}


def definers(db):
    query = (
        "select proname::text as name from pg_proc"
        " where prosecdef and pronamespace = 'notify'::regnamespace"
    )
    return {r.name for r in db.execute(query)}


def deploy(db):
    """Do what a deploy does with a function that is made new, and keep the rights."""
    db.execute("create or replace function notify.of_tomorrow() returns int language sql return 1")
    db.execute("select notify.keep_rights()")


def test_whoever_has_no_right_on_the_table_may_call_what_an_insert_calls_alone(db):
    deploy(db)
    with role(db) as user:
        assert callable_by(db, user) == {"new_id"}


def test_a_service_role_that_owns_nothing_may_call_everything_after_a_deploy(db, dsn):
    with granted(db, dsn, TABLES) as service:
        deploy(db)
        names = {name.partition("(")[0] for name in functions()}
        assert callable_by(db, service.info.user) >= names | {"of_tomorrow"}
        enqueue(db)
        assert len(claim(service)) == 1


def test_a_reader_may_call_what_runs_with_its_own_rights(db, dsn):
    with granted(db, dsn, "select on notify.notifications") as reader:
        deploy(db)
        may = callable_by(db, reader.info.user)
        assert {"gauges", "id_floor", "of_tomorrow"} <= may
        assert may & definers(db) == set()
        assert {"send", "outcomes", "accept"} <= definers(db)


@pytest.mark.parametrize(
    ("group", "verbs"),
    [("pg_read_all_data", {"gauges"}), ("pg_write_all_data", {"send"})],
)
def test_roles_that_read_or_write_all_data_go_on(db, dsn, group, verbs):
    with granted(db, dsn) as member:
        db.execute(SQL("grant {} to {}").format(Identifier(group), Identifier(member.info.user)))
        deploy(db)
        assert verbs <= callable_by(db, member.info.user)


def test_a_grant_by_hand_survives_a_deploy(db, dsn):
    with granted(db, dsn, "execute on function notify.id_floor") as own:
        deploy(db)
        assert callable_by(db, own.info.user) == {"new_id", "id_floor"}


def test_producers_get_what_is_new_of_theirs(db, dsn):
    with producer(db, dsn, "shop") as session:
        user = Identifier(session.info.user)
        db.execute(SQL("revoke execute on function notify.outcomes from {}").format(user))
        db.execute(SQL("revoke select on notify.outcomes from {}").format(user))
        db.execute(SQL("revoke insert (reference) on notify.notifications from {}").format(user))
        deploy(db)
        assert callable_by(db, session.info.user) == CALLED
        session.execute(
            "insert into notify.notifications (channel, recipient, payload, reference)"
            " values ('log', 'r', '1', 'order-1')"
        )
        assert len(session.execute("select * from notify.outcomes").fetchall()) == 1


def test_producers_get_back_what_a_rollback_or_a_restore_dropped(db, dsn):
    with producer(db, dsn, "shop") as session:
        name = current_migration()
        db.execute("drop function notify.send, notify.outcomes")
        db.execute("delete from public._yoyo_migration where migration_id = %s", [name])
        assert migrate(dsn) == [name]
        assert callable_by(db, session.info.user) == CALLED


def test_the_scaler_may_count_after_a_deploy_and_call_nothing_else(db, dsn):
    db.execute("create role notify_scaler login password 'p'")
    db.execute("grant usage on schema notify to notify_scaler")
    try:
        deploy(db)
        assert callable_by(db, "notify_scaler") == {
            "new_id", "gauges", "lanes", "spans", "is_long", "id_floor"
        }  # fmt: skip
        enqueue(db)
        with psycopg.connect(dsn, user="notify_scaler", password="p") as scaler:
            assert scaler.execute("select queued from notify.gauges()").fetchone() == (1,)
    finally:
        db.execute("drop owned by notify_scaler")
        db.execute("drop role notify_scaler")


def test_a_role_with_an_insert_of_its_own_gets_no_more_than_it_was_given(db, dsn):
    columns = "insert (channel, recipient, payload) on notify.notifications"
    with granted(db, dsn, columns) as modest:
        deploy(db)
        insert = "insert into notify.notifications (channel, recipient, payload{})"
        insert += " values ('log', 'r', {})"
        modest.execute(insert.format("", "'1'"))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            modest.execute(insert.format(", reference", "'1', 'r'"))
        assert callable_by(db, modest.info.user) == {"new_id"}


def test_a_migration_takes_execute_from_public(dsn, db):
    db.execute("grant execute on all functions in schema notify to public")
    assert migrate(dsn) == []
    with role(db) as user:
        assert callable_by(db, user) == {"new_id"}
