"""When it was noticed that this is a copy: what is created later is the copy's own."""

import pytest

from tests.copies import declare, move_database, move_server, notice


@pytest.mark.parametrize("move", [move_database, move_server])
def test_the_first_notice_counts(db, move):
    move(db)
    first = notice(db)
    assert first is not None
    assert notice(db) == first


def test_at_home_there_is_nothing_to_notice(db):
    assert notice(db) is None
    declare(db, "production")
    assert notice(db, "production") is None
    assert db.execute("select * from notify.copies").fetchall() == []


def test_after_another_start_of_the_server_it_is_noticed_anew(db):
    move_database(db)
    first = notice(db)
    db.execute("update notify.copies set server_started_at = 'epoch'")
    second = notice(db)
    assert second > first
    assert notice(db) == second


def test_each_environment_notices_for_itself(db):
    declare(db, "production")
    staging, none = notice(db, "staging"), notice(db)
    assert staging < none
    assert (notice(db, "staging"), notice(db, "")) == (staging, none)


def test_a_server_without_identifier_notices_as_well(db):
    move_database(db)
    db.execute(
        "create or replace function notify.server_identifier() returns bigint language sql"
        " as 'select null::bigint'"
    )
    assert notice(db) == notice(db)


def test_a_name_of_any_length_is_taken(db):
    declare(db, "production")
    assert notice(db, "x" * 100_000) is not None
