"""asked_probes(): what was asked for lately, for workers that may not read the table itself."""

import pytest


@pytest.fixture
def db(shared_db):
    yield shared_db
    shared_db.execute("truncate notify.probes")


def probe(db, destination, age):
    db.execute(
        "insert into notify.probes values ('webhook', %s, clock_timestamp() - %s::interval, 'ops')",
        [destination, age],
    )


def heard(db):
    return [r.destination for r in db.execute("select * from notify.asked_probes()")]


def test_those_of_the_last_half_minute_are_heard_the_newest_first(db):
    probe(db, "https://a.example", "20 s")
    probe(db, "https://b.example", "0 s")
    probe(db, "https://c.example", "31 s")
    assert heard(db) == ["https://b.example", "https://a.example"]


def test_a_thousand_are_heard_at_most(db):
    db.execute(
        "insert into notify.probes select 'webhook', 'https://a' || n, clock_timestamp(), null"
        " from generate_series(1, 1001) n"
    )
    assert len(heard(db)) == 1000
