"""tell_end(): whose producer asked for it hears that something has ended, and nobody else does."""

from itertools import takewhile

import pytest

from tests.ledger import cancel, claim, enqueue, settle
from tests.producers import role


@pytest.fixture
def bell(other_db):
    other_db.execute("listen notify_end")
    return other_db


def rings(bell) -> list[str]:
    """Read what has rung so far: what is told in one session is heard in the order of commits."""
    bell.execute("select pg_notify('notify_end', 'the last one')")
    heard = (note.payload for note in bell.notifies(timeout=60))
    return list(takewhile(lambda payload: payload != "the last one", heard))


def test_a_batch_with_one_that_asked_rings_once_and_carries_nothing(db, bell):
    ids = enqueue(db, 3, notify_on_end=True) + enqueue(db)
    settle(db, claim(db, ids))
    assert rings(bell) == [""]


def test_a_row_that_did_not_ask_rings_nothing(db, bell):
    settle(db, claim(db, enqueue(db)))
    assert rings(bell) == []


def test_an_attempt_that_is_tried_again_is_no_end(db, bell):
    settle(db, claim(db, enqueue(db, notify_on_end=True)), "temporary")
    assert rings(bell) == []


def test_what_is_cancelled_has_ended_too(db, bell):
    cancel(db, enqueue(db, notify_on_end=True))
    assert rings(bell) == [""]


@pytest.mark.parametrize("name", ["pg_notify(text, text)", "pg_notification_queue_usage()"])
def test_where_its_owner_may_not_notify_a_row_ends_in_silence(db, bell, name):
    owner = db.execute("select current_user").fetchone()[0]
    with role(db) as user:
        db.execute(f"grant usage on schema notify to {user}")
        db.execute(f"alter function notify.tell_end() owner to {user}")
        db.execute(f"revoke execute on function {name} from public")
        settle(db, claim(db, enqueue(db, notify_on_end=True)))
        db.execute(f"alter function notify.tell_end() owner to {owner}")
    assert list(bell.notifies(timeout=0)) == []
