"""Judging each caller: a declared ENVIRONMENT decides; without one, server and database do."""

import psycopg
import pytest

from tests.copies import declare, move_database, move_server, restart, settings


def is_home(db, environment=None):
    return db.execute("select notify.is_home(%s) as yes", [environment]).fetchone().yes


@pytest.mark.parametrize("environment", [None, "", "production"])
def test_a_ledger_whose_home_nobody_declared_is_at_home_where_it_was_made(db, environment):
    assert is_home(db, environment)
    restart(db)
    assert is_home(db, environment)


@pytest.mark.parametrize("move", [move_database, move_server])
@pytest.mark.parametrize("environment", [None, "", "production"])
def test_on_another_server_or_in_another_database_it_is_a_copy(db, move, environment):
    move(db)
    assert not is_home(db, environment)


@pytest.mark.parametrize("move", [move_database, move_server, restart])
def test_where_an_environment_is_declared_it_decides_alone(db, move):
    declare(db, "production")
    for _ in range(2):
        assert is_home(db, "production")
        assert not is_home(db, "staging")
        assert not is_home(db, None)
        move(db)


ALMOST = ["", " ", "Production", "production ", " production", "PRODUCTION", "production\n"]
ALMOST += ["'production'", "productio", "productions", "%", "prod%", "null", "' or true --"]


@pytest.mark.parametrize("almost", ALMOST)
def test_an_environment_that_is_only_like_it_is_another(db, almost):
    declare(db, "production")
    assert not is_home(db, almost)


def test_a_ledger_without_its_row_is_at_home_nowhere(db):
    db.execute("delete from notify.settings")
    assert not is_home(db)
    assert not is_home(db, "production")


def test_a_server_that_tells_nobody_who_it_is_is_judged_by_the_database(db):
    db.execute("update notify.settings set system_identifier = null, server_started_at = null")
    assert is_home(db)
    move_database(db)
    assert not is_home(db)


def test_a_role_without_any_rights_to_our_tables_may_ask(db):
    db.execute("create role asker")
    try:
        db.execute("grant usage on schema notify to asker")
        db.execute("grant execute on all functions in schema notify to asker")
        db.execute("revoke execute on function pg_control_system() from public")
        restart(db)
        db.execute("set role asker")
        assert is_home(db)
    finally:
        db.execute("reset role; grant execute on function pg_control_system() to public")
        db.execute("drop owned by asker; drop role asker")


def test_asking_writes_nothing(db):
    restart(db)
    before = settings(db)
    assert is_home(db)
    assert settings(db) == before


def test_there_is_no_second_row(db):
    query = "insert into notify.settings (is_only, database_name) values (%s, 'x')"
    for is_only in (True, False):
        with pytest.raises(psycopg.IntegrityError):
            db.execute(query, [is_only])
