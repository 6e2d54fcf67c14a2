"""The short name `notifications`: a convenience that costs nobody else the meaning of theirs."""

import os

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from service.ledger.migrate import SHORT_NAME, migrate
from tests.sql.test_migrate import connect, yoyo

OURS = '"$user", public, notify'


@pytest.fixture
def db(empty_dsn):
    with connect(empty_dsn) as session:
        yield session


def path_of(db):
    """Say what the database sets for all roles; None: nothing."""
    found = db.execute(
        "select substr(line, 13) as path from pg_db_role_setting, unnest(setconfig) as line"
        " where setrole = 0 and line like 'search_path=%' and setdatabase ="
        " (select oid from pg_database where datname = current_database())"
    ).fetchone()
    return found and found.path


def alter(db, what):
    db.execute(SQL("alter database {} " + what).format(Identifier(db.info.dbname)))


def found_by(url):
    """Say what a new session finds by the short name."""
    with connect(url) as db:
        return (
            db.execute("select to_regclass('notifications')::oid::regclass::text as t").fetchone().t
        )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, OURS),
        ("shop, public", "shop, public, notify"),
        ('"a, notify, b", public', '"a, notify, b", public, notify'),
        ('"say ""hi""", "$user"', '"say ""hi""", "$user", notify'),
        ('"notify ", "Notify"', '"notify ", "Notify", notify'),
        ('""', "notify"),
        ("notifications, notify2", "notifications, notify2, notify"),
    ],
)
def test_our_schema_comes_last_and_a_rollback_takes_it_back(empty_dsn, db, before, after):
    if before:
        db.execute("select set_config('search_path', %s, false)", [before])
        alter(db, "set search_path from current")
    for _ in range(2):
        migrate(empty_dsn)
        assert path_of(db) == after
    assert found_by(empty_dsn) == "notifications"
    assert yoyo(empty_dsn, "rollback", "--all").returncode == 0
    assert path_of(db) == before


@pytest.mark.parametrize("chosen", ["notify, public", "shop, notify", '"notify"', "NOTIFY"])
def test_a_path_that_has_it_is_its_owners_and_stays_after_a_rollback(empty_dsn, db, chosen):
    db.execute("select set_config('search_path', %s, false)", [chosen])
    alter(db, "set search_path from current")
    migrate(empty_dsn)
    assert path_of(db) == chosen
    yoyo(empty_dsn, "rollback", "--all")
    assert path_of(db) == chosen


def test_a_path_that_its_owner_changed_since_stays_after_a_rollback(empty_dsn, db):
    migrate(empty_dsn)
    alter(db, "set search_path = notify, shop")
    yoyo(empty_dsn, "rollback", "--all")
    assert path_of(db) == "notify, shop"


def test_the_path_of_a_release_without_keep_path_is_taken_back(empty_dsn, db):
    migrate(empty_dsn)
    db.execute("comment on schema notify is null")
    yoyo(empty_dsn, "rollback", "--all")
    assert path_of(db) is None


@pytest.mark.parametrize("whose", ["alter role", "in database", "PGOPTIONS", "URL"])
def test_what_one_role_or_session_has_does_not_become_everybodys(empty_dsn, db, monkeypatch, whose):
    name = Identifier(f"own_path_{os.getpid()}")
    own = "set search_path = mine, pg_catalog"
    url = empty_dsn.replace("postgres:", f"own_path_{os.getpid()}:", 1).replace(
        db.info.password, "p"
    )
    db.execute(SQL("create role {} superuser login password 'p'").format(name))
    try:
        if whose == "alter role":
            db.execute(SQL("alter role {} " + own).format(name))
        elif whose == "in database":
            db.execute(
                SQL("alter role {} in database {} " + own).format(name, Identifier(db.info.dbname))
            )
        elif whose == "PGOPTIONS":
            monkeypatch.setenv("PGOPTIONS", "-c search_path=mine,pg_catalog")
        elif whose == "URL":
            url += "?options=-csearch_path%3Dmine,pg_catalog"
        migrate(url)
        assert path_of(db) == OURS
    finally:
        db.execute(SQL("reassign owned by {} to current_user").format(name))
        db.execute(SQL("drop owned by {}").format(name))
        db.execute(SQL("drop role {}").format(name))


def test_what_the_server_has_for_all_is_kept(empty_dsn, db):
    """As postgresql.conf may have it: it stays in front."""
    db.execute("alter system set search_path = shop, public")
    try:
        db.execute("select pg_reload_conf()")
        migrate(empty_dsn)
        assert path_of(db) == "shop, public, notify"
    finally:
        db.execute("alter system reset search_path")
        db.execute("select pg_reload_conf()")


def test_what_all_roles_have_is_kept_also_if_ours_has_its_own(empty_dsn, db):
    db.execute("alter role all set search_path = shop, public")
    db.execute("alter role current_user set search_path = mine")
    try:
        migrate(empty_dsn)
        assert path_of(db) == "shop, public, notify"
    finally:
        db.execute("alter role current_user reset search_path")
        db.execute("alter role all reset search_path")


def test_a_restore_without_it_is_mended_by_the_next_migrate(empty_dsn, db):
    migrate(empty_dsn)
    alter(db, "reset search_path")
    assert found_by(empty_dsn) is None
    assert migrate(empty_dsn) == []
    assert found_by(empty_dsn) == "notifications"


def test_a_table_of_that_name_that_was_there_first_keeps_it(empty_dsn, db):
    db.execute("create table public.notifications (theirs integer)")
    said = []
    migrate(empty_dsn, say=said.append)
    assert path_of(db) is None
    assert said == [SHORT_NAME["taken"]]


def test_a_role_that_does_not_own_the_database_leaves_it(empty_dsn, db):
    migrate(empty_dsn)
    alter(db, "reset search_path")
    with db.transaction():
        db.execute("create role nobodys")
        db.execute("grant usage on schema notify to nobodys")
        db.execute("grant execute on function notify.keep_path(text) to nobodys")
        db.execute("set local role nobodys")
        assert (
            db.execute("select notify.keep_path(null) as done").fetchone().done == "not the owner"
        )
        raise psycopg.Rollback
    assert path_of(db) is None


@pytest.mark.parametrize(
    ("theirs", "named"),
    [
        ("create table notify.orders (id integer)", "notify.orders"),
        ("create view notify.sums as select 1 as one", "notify.sums"),
        ("create view public.ours as select id from notify.notifications", "public.ours"),
        (
            "create table public.child (id uuid references notify.notifications)",
            "public.child",
        ),
    ],
)
def test_a_rollback_that_would_end_half_done_is_refused_in_one_line(empty_dsn, db, theirs, named):
    migrate(empty_dsn)
    db.execute(theirs)
    result = yoyo(empty_dsn, "rollback", "--all")
    assert result.returncode != 0
    assert result.stderr == f"nothing was rolled back: not ours, and in the way: {named}\n"
    assert migrate(empty_dsn) == []


def test_a_table_of_theirs_in_public_is_no_hindrance_to_a_rollback(empty_dsn, db):
    migrate(empty_dsn)
    db.execute("create table public.orders (id integer)")
    assert yoyo(empty_dsn, "rollback", "--all").returncode == 0
    db.execute("select * from public.orders")
