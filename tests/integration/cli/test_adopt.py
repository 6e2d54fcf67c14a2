"""`notify adopt`: a copy becomes a home; with --discard, what its original sends is cancelled."""

import json

import pytest

from tests.copies import declare, home, move_database, move_server, settings
from tests.ledger import change, enqueue, status


@pytest.fixture
def adopt(notify, dsn, monkeypatch):
    """Run `notify adopt` on the test's ledger, with an ENVIRONMENT or without."""
    monkeypatch.setenv("DATABASE_URL", dsn)

    def run(*argv, environment=""):
        monkeypatch.setenv("ENVIRONMENT", environment)
        return notify("adopt", *argv)

    return run


def test_a_copy_is_adopted_and_said_to_be(db, adopt):
    [id] = enqueue(db)
    move_server(db)
    done = adopt(environment="staging")
    assert done.code == 0
    assert done.out.startswith("adopted, as staging: database notify_test_")
    assert done.out.endswith("0 that were queued or being sent before were cancelled\n")
    assert home(db, "staging") == (True, "staging", True, True)
    assert status(db, id) == "queued"


def test_discarding_cancels_in_batches_and_counts(db, adopt, monkeypatch):
    monkeypatch.setattr("service.cli.adopt.DISCARD_MAX", 3)
    ids = enqueue(db, 10)
    declare(db, "production")
    move_server(db)
    done = adopt("--discard", "--json", environment="staging")
    assert json.loads(done.out) == {
        "done": "adopted",
        "environment": "staging",
        "was": "production",
        "discarded": 10,
    }
    assert {status(db, id) for id in ids} == {"cancelled"}
    audit = db.execute("select verb, detail from notify.audit").fetchone()
    assert (audit.verb, audit.detail["discarded"]) == ("adopt", 10)


@pytest.mark.parametrize("words", [[], ["--discard"]])
def test_at_home_it_changes_nothing(db, adopt, words):
    [id] = enqueue(db)
    declare(db, "production")
    home(db, "production")
    before = settings(db)
    done = adopt(*words, environment="production")
    assert (done.code, done.out.partition(":")[0]) == (
        0,
        "at home already, as production, nothing was changed",
    )
    assert settings(db) == before
    assert status(db, id) == "queued"


def test_at_home_it_declares_the_environment(db, adopt):
    assert adopt(environment="production").out.startswith(
        "at home already, and from now on, as production: "
    )
    assert settings(db).environment == "production"


@pytest.mark.parametrize("environment", ["", "laptop"])
def test_a_wrong_environment_does_not_discard_what_is_being_sent(db, adopt, environment):
    [id] = enqueue(db)
    declare(db, "production")
    home(db, "production")
    done = adopt("--discard", environment=environment)
    assert (done.code, done.out) == (1, "")
    assert done.err == "notify: nothing is discarded: this ledger is at home here\n"
    assert status(db, id) == "queued"
    assert settings(db).environment == "production"


def test_its_home_can_be_renamed(db, adopt):
    declare(db, "prod")
    home(db, "prod")
    done = adopt("--json", environment="production")
    assert (json.loads(done.out)["was"], json.loads(done.out)["done"]) == ("prod", "adopted")
    assert home(db, "production").is_home


def test_what_cannot_be_cancelled_keeps_it_from_being_adopted(db, adopt, other_db):
    first, second = enqueue(db, 2)
    move_database(db)
    with other_db.transaction():
        change(other_db, first, reference="held")
        done = adopt("--discard")
    assert (done.code, done.out) == (1, "")
    assert "nothing was adopted: 1 were cancelled, and 1 or more are locked" in done.err
    assert not home(db).is_home
    assert (status(db, first), status(db, second)) == ("queued", "cancelled")


@pytest.mark.parametrize("word", ["--discrad", "production", "--environment"])
def test_a_mistyped_word_changes_nothing(db, adopt, word):
    move_database(db)
    assert adopt(word).code == 2
    assert not home(db).is_home
