"""Setting aside at the head of the queue: before workers are offered what is paused."""

from typing import Any

import psycopg
import pytest

from tests.ledger import (
    ago,
    change,
    due,
    enqueue,
    insert,
    pause,
    paused,
    put,
    resume,
    row,
    set_due_aside,
)  # fmt: skip
from tests.sql.faults import ODD, constraint, trigger
from tests.sql.long import old_id

HOOK: dict[str, Any] = {"channel": "webhook", "recipient": "https://example.org/hook"}


@pytest.fixture
def db(shared_db):
    return shared_db


def test_without_a_pause_it_says_so(db):
    enqueue(db)
    assert set_due_aside(db) is None


def test_while_one_comes_back_there_is_something_to_do(db):
    enqueue(db)
    resume(db, pause(db, "channel", "log"))
    assert set_due_aside(db) == 0


def test_it_sets_aside_what_is_paused_in_every_lane_and_leaves_the_others(db):
    pause(db, "channel", "log")
    for lane in range(4):
        enqueue(db, 2, priority=lane)
        enqueue(db, priority=lane, **HOOK)
    assert set_due_aside(db) == 8
    assert [len(lane.ids) for lane in due(db).values()] == [1, 1, 1, 1]
    assert paused(db)[0].waiting == 8
    assert set_due_aside(db) == 0


def test_it_looks_at_the_first_of_each_lane_alone(db):
    pause(db, "channel", "log")
    enqueue(db, 5)
    assert [set_due_aside(db, 2) for _ in range(4)] == [2, 2, 1, 0]


def test_what_comes_behind_those_that_are_not_paused_waits_for_its_turn(db):
    pause(db, "channel", "log")
    for _ in range(3):
        insert(db, **HOOK)
    [behind] = enqueue(db)
    assert set_due_aside(db, 3) == 0
    assert row(db, behind).due_at < ago(db, "0")
    assert set_due_aside(db, 4) == 1


def test_a_row_that_somebody_holds_is_not_waited_for(db, shared_url):
    pause(db, "channel", "log")
    held, _ = enqueue(db, 2)
    with psycopg.connect(shared_url) as holder:
        holder.execute("select from notify.notifications where id = %s for update", [held])
        set_due_aside(db)
    assert paused(db)[0].waiting == 1
    set_due_aside(db)
    assert paused(db)[0].waiting == 2


def test_in_a_long_ledger_rows_of_old_days_are_found(long_db):
    put(long_db, "queued", id=old_id(long_db, 40))
    old = put(long_db, "queued", id=old_id(long_db, 50))
    change(long_db, old, due_at=ago(long_db, "-1 hour"))
    pause(long_db, "channel", "log")
    assert set_due_aside(long_db) == 1
    long_db.execute("delete from notify.pauses")


def test_what_the_database_refuses_is_not_counted_and_says_why(faulty_db):
    db = faulty_db
    pause(db, "channel", "log")
    ids = enqueue(db, 5)
    db.execute(constraint("due_at < '2100-01-01'"))
    assert set_due_aside(db) == 0
    for id in ids:
        kept = row(db, id)
        assert kept.last_error_code == "refused"
        assert '"odd"' in kept.last_error
        assert 50 < (kept.due_at - ago(db, "0")).total_seconds() <= 60


def test_lanes_that_are_refused_row_by_row_leave_the_others_their_time(faulty_db):
    db = faulty_db
    pause(db, "channel", "log")
    for lane in range(3):
        enqueue(db, 150, priority=lane, reference=ODD)
    enqueue(db, 2, priority=3)
    db.execute(trigger("perform pg_sleep(0.005); raise exception 'no';"))
    db.execute("set statement_timeout = '2500ms'")
    assert any(set_due_aside(db) == 2 for _ in range(5))  # a stall may take what is left of one
    db.execute("reset statement_timeout")
