"""Room for one more key, and for one writer at a time."""

import psycopg
import pytest

from tests.keys import make

ROOM = "select notify.has_room_for_key('shop', 'live', '{send}', %s)"


def test_one_that_is_about_to_end_does_not_count(db):
    first, second = make(db), make(db)
    assert db.execute(ROOM, [None]).fetchone() == (False,)
    assert db.execute(ROOM, [first.id]).fetchone() == (True,)
    assert db.execute(ROOM, [second.id]).fetchone() == (True,)


def test_other_writers_wait_and_readers_do_not(db, other_db):
    with db.transaction():
        db.execute(ROOM, [None])
        assert other_db.execute("select * from notify.keys(null, true)").fetchall() == []
        other_db.execute("set lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            make(other_db)
    make(other_db)
