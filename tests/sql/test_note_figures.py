"""notify.note_figures(): the queue as the leader saw it, in bounds; the newest row is the last."""

import psycopg
import pytest


def note(db, leader="h:1", queued=(0, 0, 5, 0), **more):
    args = {"leader": leader, "queued": list(queued), "quiet": 0, "sending": 2,
            "is_estimate": False, "age": None} | more  # fmt: skip
    db.execute(
        "select notify.note_figures(%(leader)s, %(queued)s, %(quiet)s, %(sending)s,"
        " %(is_estimate)s, %(age)s)",
        args,
    )


def figures(db):
    return db.execute("select * from notify.figures order by at").fetchall()


def fill(db, rows, ago):
    db.execute(
        "insert into notify.figures select now() - %s::interval + n * interval '1 ms', 'h:0',"
        " '{0,0,0,0}', 0, 0, false, null from generate_series(1, %s) n",
        [ago, rows],
    )


def test_it_is_there_as_it_was_read(db):
    note(db, age="90 seconds", quiet=7)
    [got] = figures(db)
    assert (got.leader, got.queued, got.quiet, got.sending) == ("h:1", [0, 0, 5, 0], 7, 2)
    assert (got.is_estimate, got.oldest_due_s) == (False, 90)
    note(db)
    assert figures(db)[1].oldest_due_s is None


def test_what_is_older_than_an_hour_is_deleted_a_bit_at_a_time(db):
    fill(db, 150, "61 minutes")
    fill(db, 3, "59 minutes")
    for left in (50, 0, 0):
        note(db)
        assert sum(row.leader == "h:0" for row in figures(db)) == left + 3


def test_what_a_clock_that_was_ahead_wrote_does_not_stay_the_newest(db):
    fill(db, 3, "-1 day")
    note(db)
    assert [row.leader for row in figures(db)] == ["h:1"]


def test_what_it_deletes_has_been_heard_as_proof_of_a_wrong_clock(db):
    fill(db, 3, "-40 days")
    note(db)
    waits = "select forget_from > clock_timestamp() as x from notify.settings"
    assert db.execute(waits).fetchone().x


def test_two_leaders_write_a_row_each(db, other_db):
    for _ in range(3):
        note(db, "h:1")
        note(other_db, "h:2")
    assert [row.leader for row in figures(db)] == ["h:1", "h:2"] * 3


def test_an_hour_of_it_is_kept_in_a_few_pages(db):
    fill(db, 720, "61 minutes")
    db.execute("vacuum notify.figures")
    before = db.execute("select pg_relation_size('notify.figures') as n").fetchone().n
    for _ in range(20):
        note(db)
        db.execute("vacuum notify.figures")
    assert db.execute("select pg_relation_size('notify.figures') as n").fetchone().n <= before


def test_a_lock_is_waited_for_no_longer_than_a_moment(db, other_db):
    with other_db.transaction():
        other_db.execute("lock table notify.figures in access exclusive mode")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            note(db)
    note(db)
