"""What a pause covers, and until when each row would wait; test_set_aside.py has each name."""

from typing import Any

import pytest

from tests.ledger import ago, enqueue, pause, put, resume, row


@pytest.fixture
def db(shared_db):
    return shared_db


def covered(db, ids):
    return {c.id: c.waits_at for c in db.execute("select * from notify.covered(%s)", [ids])}


def moment(db, id):
    query = "select waits_at as at from notify.pauses where id = %s"
    return db.execute(query, [id]).fetchone().at


def test_without_a_pause_nothing_is(db):
    assert covered(db, enqueue(db, 2)) == {}
    assert covered(db, []) == {}


def test_under_two_pauses_it_is_the_first_that_a_row_would_wait_for(db):
    first, second = pause(db, "channel", "log"), pause(db, "producer", "shop")
    [both, one, none] = [
        put(db, "queued", producer="shop"),
        put(db, "queued", producer="shop", channel="email", recipient="ada@example.org"),
        put(db, "queued", channel="email", recipient="ada@example.org"),
    ]
    assert covered(db, [none, one, both]) == {both: moment(db, first), one: moment(db, second)}


def test_what_has_expired_and_what_was_resumed_is_not(db):
    id = pause(db, "channel", "log")
    expired, waits = put(db, "queued", expires_at=ago(db, "1 second")), put(db, "queued")
    assert list(covered(db, [expired, waits])) == [waits]
    resume(db, id)
    assert covered(db, [expired, waits]) == {}


def test_it_changes_nothing(db):
    pause(db, "channel", "log")
    [id] = enqueue(db)
    before = row(db, id)
    assert list(covered(db, [id])) == [id]
    assert row(db, id) == before


def test_each_of_many_paused_destinations_is_known_by_its_name(db):
    hook: dict[str, Any] = {"channel": "webhook", "payload": "{}"}
    for n in range(60):  # beyond 50 each name is worked out, whatever hosts it has in it
        pause(db, "destination", f"https://host{n}.example.org")
    names = [
        "https://HOST7.example.org:443/x",
        "https://host7.example.org:444",
        "http://host7.example.org",
    ]
    [held, *free] = [put(db, "queued", recipient=name, **hook) for name in names]
    mail = put(db, "queued", channel="email", recipient="ada@host7.example.org")
    assert list(covered(db, [*free, mail, held])) == [held]
