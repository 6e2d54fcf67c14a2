"""ask_end(): who listens first and then asks misses no end, and nobody waits for anybody."""

from itertools import takewhile

import psycopg
import pytest

from service.model.words import Status
from tests.ledger import cancel, claim, enqueue, put, row, settle
from tests.producers import producer

ENDED = {Status.SENT, Status.FAILED, Status.EXPIRED, Status.CANCELLED}


def ask_end(db, *ids):
    return {r.id: r.state for r in db.execute("select * from notify.ask_end(%s::uuid[])", [[*ids]])}


def rings(db):
    """Read what has rung so far: what is told in one session is heard in the order of commits."""
    db.execute("select pg_notify('notify_end', 'the last one')")
    heard = (note.payload for note in db.notifies(timeout=60))
    return list(takewhile(lambda payload: payload != "the last one", heard))


@pytest.mark.parametrize("status", list(Status))
def test_it_says_what_has_ended_and_asks_for_the_rest(db, status):
    id = put(db, status)
    before = row(db, id)
    assert ask_end(db, id) == {id: "ended" if status in ENDED else "asked"}
    assert row(db, id) == before._replace(notify_on_end=status not in ENDED)


@pytest.mark.parametrize("end", [lambda db, id: settle(db, claim(db, [id])),
                                 lambda db, id: cancel(db, [id])])  # fmt: skip
def test_what_was_asked_for_rings_when_it_ends(db, other_db, end):
    [id] = enqueue(db)
    other_db.execute("listen notify_end")
    assert ask_end(db, id) == {id: "asked"}
    assert rings(other_db) == []
    end(db, id)
    assert rings(other_db) == [""]
    assert ask_end(db, id) == {id: "ended"}


def test_it_rings_whatever_is_done_to_the_row_meanwhile(db, other_db):
    """Asked while it is being sent, and again while its settle is open."""
    [id] = enqueue(db)
    claimed = claim(db, [id])
    other_db.execute("listen notify_end")
    assert ask_end(db, id) == {id: "asked"}
    settle(db, claimed)
    assert rings(other_db) == [""]


def test_a_row_is_written_once_however_many_ask(db):
    [id] = enqueue(db)
    version = "select xmin::text from notify.notifications where id = %s"
    ask_end(db, id)
    first = db.execute(version, [id]).fetchone()
    for _ in range(3):
        assert ask_end(db, id) == {id: "asked"}
    assert db.execute(version, [id]).fetchone() == first


def test_a_row_that_somebody_is_moving_is_not_waited_for(db, other_db):
    free, held = enqueue(db, 2)
    with other_db.transaction():
        other_db.execute("select from notify.notifications where id = %s for update", [held])
        assert ask_end(db, free, held) == {free: "asked", held: "unasked"}
    assert ask_end(db, held) == {held: "asked"}


def test_an_id_that_nobody_has_is_left_out(db):
    [id] = enqueue(db)
    [gone] = db.execute("select notify.new_id() as id").fetchall()
    assert ask_end(db, id, gone.id) == {id: "asked"}
    assert ask_end(db) == {}


def test_a_trigger_that_lets_no_row_change_stops_nobody(db):
    ended = put(db, Status.SENT)
    [id] = enqueue(db)
    db.execute(
        "create function public.no() returns trigger language plpgsql as"
        " $$ begin raise exception 'no'; end $$;"
        "create trigger no before update on notify.notifications"
        " for each row execute function public.no()"
    )
    assert ask_end(db, ended, id) == {ended: "ended", id: "unasked"}


def test_its_commit_waits_for_no_disk_and_the_sessions_next_one_does(db):
    [id] = enqueue(db)
    with db.transaction():
        ask_end(db, id)
        assert db.execute("show synchronous_commit").fetchone()[0] == "off"
    assert db.execute("show synchronous_commit").fetchone()[0] == "on"


def test_a_producer_may_not_call_it(db, dsn):
    [id] = enqueue(db)
    with producer(db, dsn) as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
        ask_end(session, id)
