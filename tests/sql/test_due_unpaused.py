"""What is due behind what a pause covers: nobody else waits for that."""

from typing import Any

import pytest

from tests.ledger import ago, change, enqueue, pause, put
from tests.sql.long import old_id

HOOK: dict[str, Any] = {"channel": "webhook", "recipient": "https://example.org/hook"}


@pytest.fixture
def db(shared_db):
    return shared_db


def due_unpaused(db, limit=10, tests=True, skip=()):
    query = "select notify.due_unpaused(%s, %s, %s::uuid[]) as ids"
    return db.execute(query, [limit, tests, list(skip)]).fetchone().ids


def test_it_finds_what_no_pause_covers_urgent_first_in_order(db):
    pause(db, "channel", "log")
    enqueue(db, 3, priority=0)
    enqueue(db, 3, priority=2)
    late, urgent = enqueue(db, 2, priority=2, **HOOK), enqueue(db, 1, priority=1, **HOOK)
    assert due_unpaused(db) == [*urgent, *late]
    assert due_unpaused(db, 2) == [*urgent, late[0]]
    assert due_unpaused(db, skip=urgent) == late


def test_it_looks_on_behind_a_thousand_that_are_paused(db):
    pause(db, "channel", "log")
    db.execute(
        "insert into notify.notifications (channel, recipient, payload, priority)"
        " select 'log', 'r', '{}', 0 from generate_series(1, 1100)"
    )
    [other] = enqueue(db, 1, priority=0, **HOOK)
    assert due_unpaused(db) == [other]


def test_what_is_not_due_has_expired_or_is_a_test_is_as_for_a_claim(db):
    put(db, "queued", due_at=ago(db, "-1 hour"))
    test, [expired] = put(db, "queued", is_test=True), [put(db, "queued")]
    change(db, expired, expires_at=ago(db, "1 second"))
    pause(db, "channel", "log")
    assert due_unpaused(db) == [expired]
    db.execute("delete from notify.pauses")
    assert set(due_unpaused(db)) == {test, expired}
    assert due_unpaused(db, tests=False) == [expired]


def test_in_a_long_ledger_rows_of_old_days_are_found(long_db):
    old = put(long_db, "queued", id=old_id(long_db, 40))
    assert due_unpaused(long_db) == [old]
