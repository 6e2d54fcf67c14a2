"""notify.put_watched(): only a statement that changes the table speaks for its watch."""

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.producers import producer
from tests.sql.watching import ORDERS, told, watch

PUT = "select notify.put_watched(%s, %s, array['{}'::jsonb], array['forged'])"
DENIED = psycopg.errors.InsufficientPrivilege


@pytest.fixture
def id(db):
    db.execute(ORDERS)
    db.execute("insert into orders values (1, 'open', 5)")
    return watch(db)


@pytest.fixture
def hostile(db, dsn, id):
    """A producer with a table of its own, and no right on orders."""
    with producer(db, dsn, "hostile") as session:
        db.execute(SQL("create schema own authorization {}").format(Identifier(session.info.user)))
        session.execute("create table own.mine (id int primary key)")
        yield session
        db.execute("drop schema own cascade")


@pytest.mark.parametrize("ticket", [None, "", "0" * 64, "x"])
def test_a_ticket_that_is_none_is_refused(hostile, id, ticket):
    with pytest.raises(DENIED, match="only a statement that changes the table"):
        hostile.execute(PUT, [id, ticket])


def test_without_a_secret_nobody_speaks(db, hostile, id):
    db.execute("delete from notify.watch_secret")
    for ticket in (None, ""):
        with pytest.raises(DENIED):
            hostile.execute(PUT, [id, ticket])


def test_a_ticket_of_another_transaction_is_refused(db, other_db, id):
    with db.transaction():
        ticket = db.execute("select notify.watch_ticket(%s) as t", [id]).fetchone().t
        db.execute(PUT, [id, ticket])
    for session in (db, other_db):
        with pytest.raises(DENIED):
            session.execute(PUT, [id, ticket])


def test_a_ticket_of_another_watch_is_refused(db, id):
    with db.transaction(force_rollback=True):
        ticket = db.execute("select notify.watch_ticket(%s) as t", [id + 1]).fetchone().t
        with pytest.raises(DENIED):
            db.execute(PUT, [id, ticket])


def test_triggers_on_a_table_of_ones_own_get_no_ticket_of_anothers_watch(db, hostile, id):
    hostile.execute(
        "create trigger a before insert on own.mine for each statement"
        f" execute function notify.open_watch('{id}')"
    )
    hostile.execute(
        "create trigger b after insert on own.mine referencing new table as new_rows for each"
        f" statement execute function notify.watched('{id}', 'insert', '', '', '', '', '', 'fail')"
    )
    hostile.execute("insert into own.mine values (1)")
    assert told(db) == []
    refused = pytest.raises(DENIED, match=f"watch {id} of own.mine: only a statement")
    with refused, hostile.transaction():
        hostile.execute("select set_config(%s, %s, true)", [f"notify.watch_{id}", "0" * 64])
        hostile.execute("insert into own.mine values (2)")


def test_after_the_statement_its_ticket_is_gone(db, dsn, hostile, id):
    """As when a function of the application changes the table for a role that may not."""
    db.execute(
        "create function pay() returns void language sql security definer set search_path = ''"
        " as 'update public.orders set total = total + 1'"
    )
    with hostile.transaction(force_rollback=True):
        hostile.execute("select public.pay()")
        left = hostile.execute("select current_setting(%s, true) as s", [f"notify.watch_{id}"])
        assert left.fetchone().s == ""


def test_after_a_statement_that_was_skipped_its_ticket_is_gone(db, id):
    skipped = watch(db, reference="repeat('x', 999)", on_error="skip")
    with db.transaction():
        db.execute("update orders set total = 9")
        left = db.execute("select current_setting(%s, true) as s", [f"notify.watch_{skipped}"])
        assert left.fetchone().s == ""


def test_the_rows_are_the_watchs(db, id):
    with db.transaction():
        ticket = db.execute("select notify.watch_ticket(%s) as t", [id]).fetchone().t
        db.execute(PUT, [id, ticket])
    [row] = told(db)
    assert (row.channel, row.recipient, row.producer) == ("log", "r", db.info.user)


def test_a_watch_that_was_turned_off_meanwhile_tells_nothing(db, id):
    with db.transaction():
        ticket = db.execute("select notify.watch_ticket(%s) as t", [id]).fetchone().t
        db.execute("delete from notify.kept_watches")
        db.execute(PUT, [id, ticket])
    assert told(db) == []
