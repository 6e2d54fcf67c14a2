"""Which errors may be about a row: the same for the workers as in the database."""

import pytest

from workers.store import SERVERS_OWN


@pytest.fixture
def db(shared_db):
    return shared_db


def blames_row(db, sqlstate):
    return db.execute("select notify.blames_row(%s) as b", [sqlstate]).fetchone().b


@pytest.mark.parametrize("state", SERVERS_OWN)
def test_what_the_server_says_of_itself_blames_no_row(db, state):
    assert blames_row(db, state.ljust(5, "0")) is False


@pytest.mark.parametrize("state", ["23514", "22003", "P0001", "P0004", "42501", "XX000", "ND001"])
def test_what_a_trigger_or_a_constraint_says_may_blame_a_row(db, state):
    assert blames_row(db, state) is True
    assert not state.startswith(SERVERS_OWN)
