"""What a role learns of the ledger's home; the first at home notes the server's start."""

import pytest

from tests.copies import declare, home, move_database, move_server, restart, settings


def test_at_home_it_says_so_and_what_it_is_called(db):
    declare(db, "production")
    assert home(db, "production") == (True, "production", True, True)


@pytest.mark.parametrize("environment", [None, "production"])
def test_the_start_of_the_server_is_noted_once_by_who_is_at_home(db, environment):
    declare(db, environment)
    restart(db)
    assert home(db, environment).is_in_use
    noted = settings(db)
    started = db.execute("select pg_postmaster_start_time() as at").fetchone().at
    assert noted.server_started_at == started
    version = "select xmin::text as x from notify.settings"
    before = db.execute(version).fetchone()
    home(db, environment)
    assert db.execute(version).fetchone() == before


@pytest.mark.parametrize("move", [move_database, move_server])
@pytest.mark.parametrize("environment", [None, "production"])
def test_a_copy_notes_nothing(db, move, environment):
    declare(db, environment)
    move(db)
    before = settings(db)
    assert not home(db, "staging" if environment else None).is_home
    assert settings(db) == before


def test_a_wrong_caller_learns_that_others_are_at_home_here(db):
    declare(db, "production")
    restart(db)
    assert not home(db, "staging").is_in_use
    home(db, "production")
    assert home(db, "staging") == (False, "production", True, True)


def test_elsewhere_under_the_declared_name_it_is_at_home_and_the_place_is_new(db):
    declare(db, "production")
    move_server(db)
    assert home(db, "production") == (True, "production", False, False)


def test_it_waits_for_nobody(db, other_db):
    restart(db)
    with other_db.transaction():
        other_db.execute("select from notify.settings for update")
        db.execute("set lock_timeout = '1s'")
        assert home(db).is_home


def test_where_nothing_can_be_written_it_only_says(db):
    restart(db)
    db.execute("set default_transaction_read_only = on")
    assert home(db).is_home


def test_without_its_row_it_is_a_copy(db):
    db.execute("delete from notify.settings")
    assert home(db, "production") == (False, None, False, False)
