"""Cancelling in a copy what its original sends."""

import psycopg
import pytest

from tests.copies import adopt, declare, discard, home, move_database, move_server, notice, restart
from tests.ledger import ago, attempts_of, claim, enqueue, put, restore, row, status
from tests.owner import force, owning
from tests.sql.long import old_id
from tests.sql.test_born_ahead import id_in


@pytest.fixture
def copy(db):
    """Give a copy with a row in each status; nobody has noticed yet."""
    for each in ("queued", "sending", "sent", "failed", "expired", "cancelled"):
        put(db, each)
    move_server(db)
    return db


def statuses(db):
    query = "select status, last_error_code as code, count(*) as n from notify.notifications"
    return {(r.status, r.code): r.n for r in db.execute(query + " group by 1, 2")}


def test_what_was_queued_or_being_sent_is_cancelled_and_nothing_else(copy):
    assert discard(copy) == (2, 2)
    assert statuses(copy) == {
        ("cancelled", "discarded"): 2,
        ("sent", None): 1,
        ("failed", None): 1,
        ("expired", None): 1,
        ("cancelled", None): 1,
    }
    assert discard(copy) == (0, 0)


def test_what_is_due_in_the_future_is_cancelled_as_well(copy):
    [later] = enqueue(copy, send_at=ago(copy, "-10 days"))
    discard(copy)
    assert status(copy, later) == "cancelled"


def test_what_was_accepted_after_the_notice_stays(copy):
    notice(copy)
    own = enqueue(copy, 3)
    assert discard(copy) == (2, 2)
    assert {status(copy, id) for id in own} == {"queued"}


def test_what_the_original_accepted_by_a_clock_that_is_ahead_of_ours_is_cancelled(copy):
    ahead = id_in(copy, "1 hour")
    restore(copy, id=ahead, created_at=ago(copy, "-1 hour"))
    assert discard(copy) == (3, 3)
    assert status(copy, ahead) == "cancelled"


def test_an_attempt_under_way_is_neither_ended_nor_counted(copy):
    sending = copy.execute(
        "select id, attempt from notify.notifications where status = 'sending'"
    ).fetchone()
    discard(copy)
    kept = row(copy, sending.id)
    assert (kept.attempt, kept.lease_until, kept.claimed_by) == (sending.attempt, None, None)
    assert attempts_of(copy, sending.id) == []


def test_a_batch_is_bounded_and_says_whether_to_go_on(copy):
    enqueue(copy, 25)
    for priority in range(4):
        enqueue(copy, 5, priority=priority)
    done = []
    while (batch := discard(copy, limit=10)) != (0, 0):
        done.append(batch)
    assert done == [(10, 10)] * 4 + [(7, 7)]


@pytest.mark.parametrize("days", [1, 90])
def test_an_old_day_is_not_forgotten(copy, days):
    old = old_id(copy, days)
    restore(copy, id=old, created_at=ago(copy, f"{days} days"))
    discard(copy)
    assert status(copy, old) == "cancelled"


def test_at_home_nothing_is_discarded(db):
    [id] = enqueue(db)
    with pytest.raises(psycopg.Error, match="at home here") as error:
        discard(db)
    assert error.value.sqlstate == "ND007"
    assert status(db, id) == "queued"


def test_a_wrong_environment_discards_nothing_where_others_are_at_home(db):
    [id] = enqueue(db)
    declare(db, "production")
    home(db, "production")
    for wrong in ("staging", None, ""):
        with pytest.raises(psycopg.Error, match="at home here"):
            discard(db, wrong)
    assert status(db, id) == "queued"


def test_where_nobody_has_been_at_home_since_the_start_another_environment_may(db):
    [id] = enqueue(db)
    declare(db, "production")
    restart(db)
    assert discard(db, "staging") == (1, 1)
    assert status(db, id) == "cancelled"


def test_a_row_that_somebody_has_locked_is_found_and_not_discarded(copy, other_db):
    with other_db.transaction():
        other_db.execute("select from notify.notifications where status = 'queued' for update")
        assert discard(copy) == (2, 1)
        assert discard(copy) == (1, 0)
    assert discard(copy) == (1, 1)


def test_a_row_that_a_trigger_keeps_is_found_and_not_discarded(copy):
    copy.execute(
        "create function notify.keep() returns trigger language plpgsql"
        " as 'begin return null; end';"
        "create trigger keep before update on notify.notifications for each row"
        " execute function notify.keep()"
    )
    assert discard(copy) == (2, 0)


def test_an_old_notice_of_before_the_servers_start_does_not_limit_it(db):
    declare(db, "production")
    notice(db, "staging")
    [id] = enqueue(db)
    db.execute("update notify.copies set server_started_at = 'epoch'")
    restart(db)
    assert discard(db, "staging") == (1, 1)
    assert status(db, id) == "cancelled"


def test_a_worker_that_had_it_settles_nothing(db):
    [id] = enqueue(db)
    [got] = claim(db, [id])
    move_database(db)
    discard(db)
    settled = db.execute(
        "select * from notify.settle(array[%s]::uuid[], array[%s], '{sent}', '{200}', '{null}',"
        " '{1}', '{1}', '{null}', 'w:1', '{}', '1 h')",
        [id, got.attempt],
    ).fetchall()
    assert settled == []
    assert status(db, id) == "cancelled"


def test_what_was_discarded_is_not_sent_after_the_adoption(copy):
    discard(copy)
    adopt(copy)
    assert claim(copy) == []
    [own] = enqueue(copy)
    assert [c.id for c in claim(copy)] == [own]


def test_rows_that_are_hidden_are_not_taken_for_none(copy, dsn):
    with owning(copy, dsn) as owner:
        force(copy, "notifications")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            discard(owner)
