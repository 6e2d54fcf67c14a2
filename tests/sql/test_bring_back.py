"""Bringing back: after a pause everything is due again, and nothing waits behind all of it."""

from typing import Any

import psycopg
import pytest

from tests.ledger import (
    ago,
    bring_back,
    cancel,
    change,
    claim,
    due,
    enqueue,
    pause,
    paused,
    put,
    resume,
    row,
)  # fmt: skip
from tests.sql.faults import heal, one_odd_among
from tests.sql.long import old_id

HOOK: dict[str, Any] = {"channel": "webhook", "recipient": "https://example.org/hook"}


@pytest.fixture
def db(shared_db):
    return shared_db


def waiting(db, n, **columns):
    """Enqueue rows that wait for a pause of channel log, and return it with their ids."""
    id = pause(db, "channel", "log")
    ids = enqueue(db, n, **columns)
    assert claim(db, ids, limit=n) == []
    return id, ids


def test_what_was_resumed_is_due_now_and_the_pause_is_gone(db):
    id, ids = waiting(db, 5)
    resume(db, id)
    assert bring_back(db) == 5
    assert all(row(db, i).due_at <= ago(db, "0") for i in ids)
    assert paused(db) == []
    assert {c.id for c in claim(db, ids)} == set(ids)


def test_what_is_still_paused_waits_on(db):
    _, ids = waiting(db, 2)
    before = [row(db, i) for i in ids]
    assert bring_back(db) == 0
    assert [row(db, i) for i in ids] == before


def test_every_lane_comes_back_the_oldest_first(db):
    id, ids = waiting(db, 4)
    urgent = enqueue(db, 2, priority=0)
    claim(db, urgent)
    resume(db, id)
    assert bring_back(db, 2) == 4
    looks = due(db)
    assert (looks[0].ids, looks[2].ids) == (urgent, ids[:2])


def test_what_else_is_due_leaves_less_room(db):
    id, _ = waiting(db, 50)
    enqueue(db, 25, **HOOK)
    resume(db, id)
    assert bring_back(db, 30) == 5
    assert len(due(db)[2].ids) == 30


def test_a_tenth_comes_back_however_much_is_due(db):
    id, _ = waiting(db, 10)
    enqueue(db, 40, **HOOK)
    resume(db, id)
    assert [bring_back(db, 30) for _ in range(4)] == [3, 3, 3, 1]
    assert paused(db) == []


def test_a_pause_of_which_nothing_waits_is_forgotten(db):
    id, ids = waiting(db, 2)
    cancel(db, ids)
    resume(db, id)
    assert bring_back(db) == 0
    assert paused(db) == []


def test_a_row_that_somebody_holds_comes_next_time(db, shared_url):
    id, [held, *others] = waiting(db, 3)
    resume(db, id)
    with psycopg.connect(shared_url) as holder:
        holder.execute("select from notify.notifications where id = %s for update", [held])
        assert bring_back(db) == len(others)
        assert [p.waiting for p in paused(db)] == [1]
    assert bring_back(db) == 1
    assert paused(db) == []


def test_what_a_trigger_keeps_stops_no_other_and_keeps_its_pause(faulty_db):
    db = faulty_db
    pause_id = pause(db, "channel", "log")
    ids, odd = one_odd_among(db)
    claim(db, ids)
    db.execute(
        "create function public.fault() returns trigger language plpgsql as"
        " $$ begin if new.reference = 'odd' then raise 'no'; end if; return new; end $$;"
        "create trigger aa_fault before update on notify.notifications"
        " for each row execute function public.fault()"
    )
    resume(db, pause_id)
    assert bring_back(db) == 8
    assert [p.waiting for p in paused(db)] == [1]
    heal(db)
    assert bring_back(db) == 1
    assert row(db, odd).due_at <= ago(db, "0")


def test_many_that_a_trigger_keeps_do_not_hide_those_behind_them(faulty_db):
    db = faulty_db
    id, ids = waiting(db, 6)
    for odd in ids[:3]:
        change(db, odd, reference="odd")
    db.execute(
        "create function public.fault() returns trigger language plpgsql as"
        " $$ begin if new.reference = 'odd' then raise 'no'; end if; return new; end $$;"
        "create trigger aa_fault before update on notify.notifications"
        " for each row execute function public.fault()"
    )
    resume(db, id)
    assert bring_back(db, 3) == 3
    assert all(row(db, i).due_at <= ago(db, "0") for i in ids[3:])


def test_rows_of_old_days_come_back(long_db):
    old = put(long_db, "queued", id=old_id(long_db, 40))
    id = pause(long_db, "channel", "log")
    assert claim(long_db) == []
    resume(long_db, id)
    assert bring_back(long_db) == 1
    assert [c.id for c in claim(long_db)] == [old]


def kept_back(db, pauses, rows):
    """Let so many rows wait for each of so many pauses, and resume all of these."""
    for n in range(pauses):
        id = pause(db, "producer", f"p{n}")
        ids = enqueue(db, rows)
        db.execute(
            "update notify.notifications set producer = %s, due_at ="
            " (select waits_at from notify.pauses where id = %s) where id = any(%s)",
            [f"p{n}", id, ids],
        )
        resume(db, id)


def test_what_came_back_for_one_pause_leaves_less_room_for_the_next(db):
    kept_back(db, pauses=2, rows=30)
    assert bring_back(db, 30) == 31
    assert sorted(p.waiting for p in paused(db)) == [29]


def test_the_pauses_share_the_tenth_that_comes_in_any_case(db):
    kept_back(db, pauses=3, rows=10)
    enqueue(db, 60, **HOOK)
    assert bring_back(db, 60) == 6


def test_where_the_server_is_slow_it_ends_in_time_and_keeps_what_it_did(faulty_db):
    db = faulty_db
    kept_back(db, pauses=4, rows=400)
    db.execute(
        "create function public.fault() returns trigger language plpgsql as"
        " $$ begin perform pg_sleep(0.002); return new; end $$;"
        "create trigger aa_fault before update on notify.notifications"
        " for each row execute function public.fault()"
    )
    back = bring_back(db, 5000)
    assert 400 <= back < 1600
    assert sum(p.waiting for p in paused(db)) == 1600 - back


def test_a_pause_whose_rows_are_refused_does_not_keep_another_from_its_turn(faulty_db):
    db = faulty_db
    kept_back(db, pauses=2, rows=150)
    db.execute(
        "create function public.fault() returns trigger language plpgsql as"
        " $$ begin if new.producer = 'p0' then perform pg_sleep(0.005); raise 'no'; end if;"
        " return new; end $$;"
        "create trigger aa_fault before update on notify.notifications"
        " for each row execute function public.fault()"
    )
    assert bring_back(db, 5000) == 150
    assert [p.name for p in paused(db)] == ["p0"]
