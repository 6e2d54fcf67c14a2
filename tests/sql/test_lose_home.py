"""A ledger that another one's rows are restored into is a copy until somebody adopts it."""

import pytest

from service.ledger.migrate import migrate
from service.ledger.schema import functions, tables
from tests.copies import adopt, declare, home, keep, settings
from tests.ledger import claim, enqueue

COMES = "insert into notify.ledger (id) values (gen_random_uuid())"
# As COPY of a dump would: a production's row, on another server.
THEIR_SETTINGS = (
    "insert into notify.settings (environment, system_identifier, database_name)"
    " values ('production', 1, 'production')"
)


def ledgers(db):
    return db.execute("select * from notify.ledger").fetchall()


@pytest.mark.parametrize("environment", [None, "staging"])
def test_nothing_is_sent_after_another_ledger_s_row_came(db, environment):
    declare(db, environment)
    before = ledgers(db)
    enqueue(db)
    db.execute(COMES)
    assert ledgers(db) == before
    assert not home(db, environment).is_home
    assert keep(db, environment) == "copy"
    assert claim(db, environment=environment) == []


def test_the_settings_that_come_along_say_whose_it_is(db):
    declare(db, "staging")
    db.execute(COMES)
    db.execute(THEIR_SETTINGS)
    assert home(db, "staging") == (False, "production", False, False)
    assert home(db, "production").is_home


@pytest.mark.parametrize("brings", [[], [THEIR_SETTINGS]], ids=["ledger", "settings"])
def test_it_sends_once_it_is_adopted(db, brings):
    declare(db, "staging")
    [id] = enqueue(db)
    for statement in [COMES, *brings]:
        db.execute(statement)
    assert adopt(db, "staging") == "adopted"
    assert [c.id for c in claim(db, environment="staging")] == [id]


def test_its_own_row_takes_no_home_away(db):
    before = settings(db)
    db.execute("insert into notify.ledger select * from notify.ledger on conflict do nothing")
    assert settings(db) == before
    assert home(db).is_home


def test_the_first_row_stays(db):
    db.execute("delete from notify.ledger")
    db.execute(COMES)
    assert len(ledgers(db)) == 1
    assert home(db).is_home


@pytest.mark.parametrize("damage", ["disable trigger lose_home", "disable trigger all"])
def test_a_trigger_that_is_switched_off_is_told_and_migrate_brings_it_back(db, dsn, damage):
    db.execute(f"alter table notify.ledger {damage}")
    query = "select fault from notify.faults(%s, %s, false)"
    assert db.execute(query, [list(functions()), tables()]).fetchall() == [
        ("trigger lose_home of notify.ledger is disabled",)
    ]
    migrate(dsn)
    assert db.execute(query, [list(functions()), tables()]).fetchall() == []
