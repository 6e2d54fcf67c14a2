"""The place: server and database, whatever the environment is called."""

import pytest

from tests.copies import declare, move_database, move_server, restart


def is_place(db):
    return db.execute("select notify.is_home_place() as yes").fetchone().yes


@pytest.mark.parametrize("environment", [None, "production"])
def test_it_is_home_where_server_and_database_are(db, environment):
    declare(db, environment)
    assert is_place(db)
    restart(db)
    assert is_place(db)


@pytest.mark.parametrize("move", [move_database, move_server])
def test_another_server_or_database_is_not(db, move):
    declare(db, "production")
    move(db)
    assert not is_place(db)


def test_an_identifier_that_was_compared_for_this_start_is_not_read_again(db):
    db.execute(
        "update notify.settings set system_identifier = 1,"
        " server_started_at = pg_postmaster_start_time()"
    )
    assert is_place(db)


def test_without_its_row_there_is_no_home(db):
    db.execute("delete from notify.settings")
    assert not is_place(db)
