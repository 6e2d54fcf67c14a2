"""Empty day: what is kept no longer goes, though the drop of its tables must wait."""

import pytest

from tests.ledger import put
from tests.sql.long import old_id
from tests.sql.test_drop_day import PARENT


def empty_day(db):
    query = "select notify.empty_day((clock_timestamp() at time zone 'utc')::date - 5) as done"
    return db.execute(query).fetchone().done


def rows(db):
    return db.execute("select count(*) as n from notify.notifications").fetchone().n


def test_its_rows_go_while_somebody_uses_a_parent(db, other_db, old_day):
    with other_db.transaction():
        other_db.execute(PARENT)
        assert empty_day(db) == "emptied"
        assert empty_day(db) == "empty"
    assert rows(db) == 0


def test_attempts_alone_are_rows_too(db, old_day):
    id = db.execute("select id from notify.notifications").fetchone().id
    db.execute(
        "insert into notify.attempts (notification_id, attempt, started_at, outcome, worker)"
        " values (%s, 1, now(), 'sent', 'host:1')",
        [id],
    )
    db.execute(f"delete from {old_day}")
    assert empty_day(db) == "emptied"
    assert empty_day(db) == "empty"


@pytest.mark.parametrize("status", ["queued", "sending"])
def test_a_day_is_kept_for_what_is_not_settled(db, old_day, status):
    put(db, status, id=old_id(db, 5))
    assert empty_day(db) == "kept"
    assert rows(db) == 2


def test_who_uses_the_day_keeps_it(db, other_db, old_day):
    with other_db.transaction():
        other_db.execute(f"select from {old_day}")
        assert empty_day(db) == "busy"
    assert rows(db) == 1


def test_a_day_that_cannot_be_emptied_is_told(db, old_day):
    db.execute(f"create table public.o (id uuid references {old_day} (id))")
    assert empty_day(db) == "failed"
    assert rows(db) == 1


def test_a_day_that_is_gone_is_dropped(db):
    assert empty_day(db) == "dropped"
