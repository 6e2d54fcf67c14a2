"""The last use of a key is written down, and waits for nobody."""

from tests.keys import make

USE = "select notify.use_keys(%s)"


def test_those_that_were_used_get_the_time(db):
    used, other = make(db), make(db)
    db.execute(USE, [[used.id, "nobody"]])
    rows = dict(db.execute("select id, last_used_at from notify.api_keys").fetchall())
    assert rows[used.id] is not None
    assert rows[other.id] is None


def test_what_another_process_has_just_noted_is_not_written_again(db):
    used = make(db)
    version = "select xmin::text, last_used_at from notify.api_keys where id = %s"
    db.execute(USE, [[used.id]])
    first = db.execute(version, [used.id]).fetchone()
    db.execute(USE, [[used.id]])
    assert db.execute(version, [used.id]).fetchone() == first
    db.execute("update notify.api_keys set last_used_at = last_used_at - interval '51 seconds'")
    db.execute(USE, [[used.id]])
    assert db.execute(version, [used.id]).fetchone()[1] > first[1]


def test_a_use_that_was_noted_by_a_clock_that_was_ahead_is_not_the_last_for_ever(db):
    used = make(db)
    db.execute("update notify.api_keys set last_used_at = now() + interval '70 years'")
    db.execute(USE, [[used.id]])
    query = "select last_used_at <= clock_timestamp() as is_past from notify.api_keys"
    assert db.execute(query).fetchone().is_past


def test_a_row_that_somebody_holds_is_left_for_the_next_time(db, other_db):
    held, free = make(db), make(db)
    with db.transaction():
        db.execute("select from notify.api_keys where id = %s for update", [held.id])
        other_db.execute(USE, [[held.id, free.id]])
    rows = dict(db.execute("select id, last_used_at from notify.api_keys").fetchall())
    assert rows[free.id] is not None
    assert rows[held.id] is None
