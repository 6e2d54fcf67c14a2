"""What a clock that was ahead has put off is pulled back, as far as its row proves it."""

from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from tests.ledger import ago, change, claim, pause, put, row

LONG = timedelta(hours=2)
FIRST, LAST = UUID(int=0), UUID(int=2**128 - 1)
SLACK = timedelta(seconds=30)


@pytest.fixture
def db(shared_db):
    return shared_db


def mend(db, lane=2, after="-infinity", id=FIRST, limit=1000):
    return db.execute(
        "select * from notify.mend_due(%s, %s, %s::smallint, %s::timestamptz, %s, %s)",
        [FIRST, LAST, lane, after, id, limit],
    ).fetchone()


def attempted(db, id, ended_at, *, attempt=1, outcome="temporary", took_ms=1000):
    db.execute(
        "insert into notify.attempts"
        " (notification_id, attempt, started_at, took_ms, outcome, worker)"
        " values (%s, %s, %s, %s, %s, 'w:1')",
        [id, attempt, ended_at - timedelta(milliseconds=took_ms or 0), took_ms, outcome],
    )


def test_what_was_queued_is_due_now(db):
    then = ago(db, "-2 hours")
    id = put(db, "queued", created_at=then, due_at=then)
    assert mend(db).mended == 1
    assert row(db, id).due_at <= ago(db, "0 s")
    assert mend(db).mended == 0


def test_what_the_producer_asked_for_stays(db):
    then, asked, expires = (ago(db, f"-{h} hours") for h in (2, 3, 9))
    id = put(db, "queued", created_at=then, send_at=asked, due_at=asked, expires_at=expires)
    soon = put(db, "queued", created_at=then, send_at=ago(db, "-1 hour"), due_at=then)
    mend(db)
    assert row(db, id).due_at == row(db, id).send_at == asked
    assert row(db, id).expires_at == expires
    assert row(db, soon).due_at == row(db, soon).send_at


def test_what_waits_for_its_next_attempt_keeps_the_wait(db):
    id = put(db, "queued", attempt=1, first_claimed_at=ago(db, "1 minute"))
    ended_at = ago(db, "0 s") + LONG
    change(db, id, due_at=ended_at + timedelta(minutes=10))
    attempted(db, id, ended_at)
    assert mend(db).mended == 1
    assert abs(row(db, id).due_at - ago(db, "-10 minutes")) < SLACK


@pytest.mark.parametrize("outcome", ["temporary", "throttled", "unknown"])
def test_a_wait_that_a_right_clock_began_stays(db, outcome):
    id = put(db, "queued", attempt=1, created_at=ago(db, "-1 hour"))
    change(db, id, first_claimed_at=ago(db, "1 day"), due_at=ago(db, "-12 hours"))
    attempted(db, id, ago(db, "1 minute"), outcome=outcome)
    before = row(db, id)
    assert mend(db).mended == 0
    assert row(db, id) == before


def test_what_was_parked_or_reaped_is_due_now(db):
    then = ago(db, "-2 hours")
    parked = put(db, "queued", attempt=1, first_claimed_at=then, due_at=then)
    parked_again = put(db, "queued", attempt=2, first_claimed_at=ago(db, "1 day"), due_at=then)
    attempted(db, parked_again, ago(db, "1 day"))
    reaped = put(db, "queued", attempt=1, first_claimed_at=ago(db, "1 day"), due_at=then)
    attempted(db, reaped, ago(db, "1 hour"), outcome="lease_expired", took_ms=None)
    assert mend(db).mended == 3
    for id in (parked, parked_again, reaped):
        assert row(db, id).due_at <= ago(db, "0 s")
    assert row(db, parked).first_claimed_at <= ago(db, "0 s")


def test_what_nothing_proves_stays(db):
    far = ago(db, "-20 days")
    ids = [
        put(db, "queued", send_at=far, due_at=far),
        put(db, "queued", attempt=4, max_attempts=8, due_at=ago(db, "-3 hours")),  # redriven
        put(db, "queued", attempt=1, first_claimed_at=ago(db, "1 hour"), due_at=ago(db, "-50 min")),
    ]
    attempted(db, ids[1], ago(db, "1 day"), attempt=4)
    before = [row(db, id) for id in ids]
    assert mend(db).mended == 0
    assert [row(db, id) for id in ids] == before


def test_other_days_are_left_alone(db):
    then = ago(db, "-2 hours")
    ids = sorted(put(db, "queued", created_at=then, due_at=then) for _ in range(3))
    query = "select mended from notify.mend_due(%s, %s, 2::smallint, '-infinity', %s, 10)"
    assert db.execute(query, [ids[1], ids[2], FIRST]).fetchone().mended == 1
    assert [row(db, id).due_at == then for id in ids] == [True, False, True]


def test_another_status_and_another_lane_are_left_alone(db):
    then = ago(db, "-2 hours")
    ids = [put(db, "queued", priority=1, created_at=then, due_at=then)] + [
        put(db, status, created_at=then, due_at=then)
        for status in ("sending", "sent", "failed", "cancelled", "expired")
    ]
    before = [row(db, id) for id in ids]
    assert mend(db).mended == 0
    assert [row(db, id) for id in ids] == before
    assert mend(db, lane=1).mended == 1


def test_calls_go_on_where_the_last_one_ended_also_within_one_moment(db):
    then = ago(db, "-2 hours")
    ids = [put(db, "queued", created_at=then, due_at=then) for _ in range(7)]
    calls = [mend(db, limit=3)]
    while calls[-1].following:
        calls.append(mend(db, after=calls[-1].following, id=calls[-1].following_id, limit=3))
    assert [call.mended for call in calls] == [3, 3, 1]
    assert all(row(db, id).due_at <= ago(db, "0 s") for id in ids)


def test_a_row_that_somebody_holds_is_not_waited_for(db, shared_url):
    then = ago(db, "-2 hours")
    held, other = (put(db, "queued", created_at=then, due_at=then) for _ in range(2))
    with psycopg.connect(shared_url) as holder:
        holder.execute("select from notify.notifications where id = %s for update", [held])
        assert mend(db).mended == 1
    assert (row(db, held).due_at == then, row(db, other).due_at < then) == (True, True)


def test_an_odd_row_stops_no_other(faulty_db):
    then = ago(faulty_db, "-2 hours")
    odd, *others = (put(faulty_db, "queued", created_at=then, due_at=then) for _ in range(5))
    faulty_db.execute(
        "create function notify.odd() returns trigger language plpgsql as"
        f" $$ begin if new.id = '{odd}' then raise 'no'; end if; return new; end $$;"
        "create trigger odd before update on notify.notifications"
        " for each row execute function notify.odd()"
    )
    try:
        assert mend(faulty_db).mended == 4
    finally:
        faulty_db.execute("drop function notify.odd() cascade")
    assert row(faulty_db, odd).due_at == then
    assert all(row(faulty_db, id).due_at < then for id in others)


def test_what_a_pause_has_set_aside_waits_on(db):
    id = put(db, "queued", attempt=1, created_at=ago(db, "-2 hours"))
    pause(db, "channel", "log")
    claim(db, [id])
    before = row(db, id)
    assert mend(db) == (0, None, None)
    assert row(db, id) == before
