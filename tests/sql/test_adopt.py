"""Making a copy a home of its own."""

import pytest

from tests.copies import adopt, declare, home, move_database, move_server, notice, settings
from tests.ledger import claim, enqueue


def ledger(db):
    return db.execute("select id from notify.ledger()").fetchone().id


def audits(db):
    query = "select actor, verb, detail from notify.audit order by id"
    return [(r.actor, r.verb, r.detail) for r in db.execute(query)]


@pytest.mark.parametrize("move", [move_database, move_server])
@pytest.mark.parametrize("environment", [None, "", "staging"])
def test_a_copy_that_is_adopted_sends(db, move, environment):
    declare(db, "production")
    move(db)
    [id] = enqueue(db)
    assert claim(db, environment=environment) == []
    assert adopt(db, environment) == "adopted"
    assert home(db, environment) == (True, environment or None, True, True)
    assert [c.id for c in claim(db, environment=environment)] == [id]


def test_its_original_s_keys_of_redis_are_no_longer_its_own(db):
    move_database(db)
    was = ledger(db)
    adopt(db)
    assert ledger(db) != was
    assert db.execute("select count(*) as n from notify.ledger").fetchone().n == 1


def test_what_was_noticed_is_forgotten_and_the_deed_is_in_the_audit(db):
    declare(db, "production")
    notice(db, "staging")
    adopt(db, "staging")
    assert db.execute("select * from notify.copies").fetchall() == []
    me = db.execute("select session_user as me").fetchone().me
    detail = {"environment": "staging", "was": "production", "discarded": 0}
    assert audits(db) == [(me, "adopt", detail)]


@pytest.mark.parametrize("environment", [None, "production"])
def test_at_home_nothing_is_changed(db, environment):
    declare(db, environment)
    home(db, environment)
    before, named = settings(db), ledger(db)
    assert adopt(db, environment) == "home"
    assert (settings(db), ledger(db), audits(db)) == (before, named, [])


def test_at_home_where_nothing_was_declared_the_environment_is(db):
    named = ledger(db)
    assert adopt(db, "production") == "declared"
    assert settings(db).environment == "production"
    assert ledger(db) == named


def test_a_ledger_that_lost_its_row_gets_one(db):
    db.execute("delete from notify.settings")
    [id] = enqueue(db)
    assert claim(db) == []
    assert adopt(db) == "adopted"
    assert [c.id for c in claim(db)] == [id]
    assert settings(db).idempotency_window is not None


def test_who_has_no_rights_to_the_settings_adopts_nothing(db):
    move_database(db)
    before = settings(db)
    db.execute("create role producer")
    try:
        db.execute("grant usage on schema notify to producer; set role producer")
        with pytest.raises(Exception, match="permission denied"):
            adopt(db)
    finally:
        db.execute("reset role; drop owned by producer; drop role producer")
    assert settings(db) == before
