"""What SQL knows of the settings: kept by migrate and the leader, at home alone."""

import threading
from datetime import timedelta

import psycopg
import pytest

from tests.copies import (
    declare,
    keep,
    move_database,
    move_server,
    notice,
    restart,
    settings,
)

VERSION = "select xmin::text as x from notify.settings"


def test_it_declares_the_environment_once_and_for_all(db):
    assert keep(db, None) == "kept"
    assert settings(db).environment is None
    assert keep(db, "production") == "declared"
    assert keep(db, "production") == "kept"
    assert settings(db).environment == "production"


@pytest.mark.parametrize("other", ["staging", None, ""])
def test_another_environment_overwrites_nothing(db, other):
    keep(db, "production", 24, 7)
    before = settings(db)
    assert keep(db, other, 48, 1) == "copy"
    assert settings(db) == before


@pytest.mark.parametrize("move", [move_database, move_server])
@pytest.mark.parametrize("environment", [None, "", "staging"])
def test_a_copy_never_declares_itself_home(db, move, environment):
    move(db)
    before = settings(db)
    assert keep(db, environment, 48, 1) == "copy"
    assert settings(db) == before


@pytest.mark.parametrize("move", [move_database, move_server])
def test_a_new_place_of_the_same_environment_is_said_and_recorded(db, move):
    keep(db, "production")
    was = settings(db)
    move(db)
    assert keep(db, "production") == "moved"
    assert settings(db) == was
    assert keep(db, "production") == "kept"


def test_it_writes_what_sql_must_know_and_only_when_that_changed(db):
    keep(db, None, 0.5, 90)
    assert (settings(db).idempotency_window, settings(db).payload_days) == (
        timedelta(minutes=30),
        90,
    )
    before = db.execute(VERSION).fetchone()
    keep(db, None, 0.5, 90)
    keep(db, None, None, 90)
    assert db.execute(VERSION).fetchone() == before
    keep(db, None, None, None)
    assert settings(db).payload_days is None
    assert settings(db).idempotency_window == timedelta(minutes=30)


def test_after_a_restart_the_start_is_noted(db):
    restart(db)
    keep(db)
    started = db.execute("select pg_postmaster_start_time() as at").fetchone().at
    assert settings(db).server_started_at == started


def test_what_was_noticed_before_the_last_start_is_removed(db):
    declare(db, "production")
    notice(db, "staging")
    notice(db, "test")
    db.execute("update notify.copies set server_started_at = 'epoch' where environment = 'test'")
    keep(db, "production")
    assert [r.environment for r in db.execute("select * from notify.copies")] == ["staging"]


def test_what_was_noticed_for_an_environment_that_is_at_home_now_is_removed(db):
    move_database(db)
    notice(db)
    db.execute("update notify.settings set database_name = current_database()")
    keep(db)
    assert db.execute("select * from notify.copies").fetchall() == []


def test_of_many_at_once_one_declares(db, dsn):
    done = []

    def run(name):
        with psycopg.connect(dsn, autocommit=True) as mine:
            row = mine.execute("select notify.keep_settings(%s, 24, null)", [name]).fetchone()
            done.append(row[0])

    threads = [threading.Thread(target=run, args=[f"home {n}"]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == ["copy"] * 7 + ["declared"]


def test_without_the_row_nothing_is_declared(db):
    db.execute("delete from notify.settings")
    assert keep(db, "production", 24, 1) == "copy"
    assert settings(db) is None
