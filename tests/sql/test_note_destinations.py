"""notify.note_destinations(): what begins and what ends, and nothing of other workers."""

import psycopg
import pytest

from tests.explaining import beat, note, state

A, B = state("https://a.example"), state("https://b.example", "url", url_hash="x", in_s=60)


def noted(db):
    query = "select * from notify.destination_state order by worker, destination"
    return [(r.worker, r.destination, r.state) for r in db.execute(query)]


def test_what_begins_is_there_until_it_ends(db):
    note(db, A, B)
    assert noted(db) == [
        ("w:1", "https://a.example", "breaker"), ("w:1", "https://b.example", "url")]  # fmt: skip
    note(db, ended=(A,))
    assert noted(db) == [("w:1", "https://b.example", "url")]


def test_since_when_and_until_when(db):
    note(db, B)
    [got] = db.execute("select *, clock_timestamp() as now from notify.destination_state")
    assert 60 <= (got.now - got.since).total_seconds() < 120
    assert 0 < (got.until - got.now).total_seconds() <= 60


def test_what_begins_twice_is_there_once(db):
    note(db, A)
    note(db, A | {"code": "timeout"})
    [got] = db.execute("select code from notify.destination_state")
    assert got.code == "timeout"


def test_what_others_keep_back_stays(db):
    note(db, A, worker="w:2")
    note(db, ended=(A,))
    assert noted(db) == [("w:2", "https://a.example", "breaker")]


def test_no_more_than_a_thousand_come_at_once(db):
    note(db, *[state(f"https://h{n}.example") for n in range(1200)])
    assert len(noted(db)) == 1000


@pytest.mark.parametrize(
    ("table", "call"),
    [("workers", beat), ("destination_state", lambda db: note(db, A))],
)
def test_a_lock_is_waited_for_no_longer_than_a_moment(db, other_db, table, call):
    with other_db.transaction():
        other_db.execute(f"lock table notify.{table} in access exclusive mode")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            call(db)
    call(db)
