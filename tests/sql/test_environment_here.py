"""Workers of before have no ENVIRONMENT: server and database speak for them."""

import pytest

from tests.copies import declare, move_database, move_server


def here(db):
    return db.execute("select notify.environment_here() as name").fetchone().name


def test_at_home_it_is_what_was_declared(db):
    assert here(db) is None
    declare(db, "production")
    assert here(db) == "production"


@pytest.mark.parametrize("move", [move_database, move_server])
def test_elsewhere_it_is_none(db, move):
    declare(db, "production")
    move(db)
    assert here(db) is None
