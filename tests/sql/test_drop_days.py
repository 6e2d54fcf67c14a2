"""Drop days: the oldest first, and one that cannot go keeps no other."""

import threading

import pytest

from tests.ledger import claim, due, enqueue, put, settle
from tests.owner import force, owning
from tests.sql.long import connected, old_id

PARENT = "select 1 from notify.notifications where id = 'ffffffff-ffff-ffff-ffff-ffffffffffff'"


@pytest.fixture
def days(db):
    """Make five days that are over; their names, the oldest first."""
    for ago in range(5, 10):
        put(db, "sent", id=old_id(db, ago))
    made = db.execute("select * from notify.make_days(0, '11 days')").fetchall()
    return sorted(m.partition for m in made if m.partition.startswith("notifications"))


def drop_days(db, limit=100, retention="2 days"):
    query = "select * from notify.drop_days(%s::interval, %s)"
    return [tuple(r) for r in db.execute(query, [retention, limit])]


def test_the_oldest_go_first_and_no_more_than_asked_for(db, days):
    assert drop_days(db, 2) == [("dropped", days[0]), ("dropped", days[1])]
    assert drop_days(db) == [("dropped", day) for day in days[2:]]
    assert drop_days(db) == []


def test_a_day_within_its_retention_stays(db, days):
    assert drop_days(db, retention="9 days") == []
    assert drop_days(db, retention="8 days") == [("dropped", days[0])]


def test_one_that_cannot_go_is_told_and_the_others_go(db, days):
    db.execute(f"create view public.v as select * from notify.{days[1]}")
    assert dict(map(reversed, drop_days(db))) == {
        day: "failed" if day == days[1] else "dropped" for day in days
    }


def test_a_table_of_somebody_else_among_ours_is_none_of_ours(db, days):
    """A range of its own, below all days: it has no name of ours."""
    db.execute(
        "create table public.archive partition of notify.notifications"
        " for values from (minvalue) to (notify.id_floor('2020-01-01'))"
    )
    assert drop_days(db) == [("dropped", day) for day in days]
    assert db.execute("select to_regclass('public.archive') is not null as x").fetchone().x


@pytest.mark.slow
def test_days_are_dropped_while_everybody_works(db, dsn, days):
    """A hundred calls at most, each of which ends within its own limits."""
    stop = threading.Event()
    errors = []

    def work(turn):
        try:
            with connected(dsn) as own:
                while not stop.is_set():
                    turn(own)
        except Exception as error:
            errors.append(error)

    def look(own):
        due(own)
        own.execute("select count(*) from notify.notifications where reference = 'x'")

    turns = [enqueue] * 4 + [lambda own: settle(own, claim(own))] * 2 + [look] * 2
    threads = [threading.Thread(target=work, args=[turn]) for turn in turns]
    for thread in threads:
        thread.start()
    done = []
    for _ in range(100):
        done += drop_days(db, 1)
        if sum(action == "dropped" for action, _ in done) == len(days):
            break
    stop.set()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sum(action == "dropped" for action, _ in done) == len(days), done


def test_its_turn_comes_by_the_utc_day(db, days):
    db.execute("set time zone 'Pacific/Kiritimati'")
    assert len(drop_days(db, retention="9 days")) == 0


def test_an_assertion_of_somebodys_keeps_a_day_and_not_the_function(db):
    day = "(clock_timestamp() at time zone 'utc')::date - 40"
    db.execute(f"select * from notify.make_day({day}, 100)")
    db.execute(
        "create function public.no() returns event_trigger language plpgsql"
        " as $$ begin assert false, 'not here'; end $$"
    )
    db.execute("create event trigger no on ddl_command_start execute function public.no()")
    dropped = db.execute("select action from notify.drop_days('30 days', 1)").fetchall()
    made = db.execute(f"select action from notify.make_day({day} + 1, 100)").fetchall()
    assert [*dropped, *made] == [("failed",), ("failed",)]


def test_attempts_whose_day_somebody_dropped_go_too(db, days):
    db.execute(f"drop table notify.{days[0]}")
    attempts = days[0].replace("notifications_", "attempts_")
    assert drop_days(db, 1) == [("dropped", attempts)]
    assert drop_days(db, 1) == [("dropped", days[1])]


def test_row_security_of_one_day_keeps_no_other(db, dsn, days):
    with owning(db, dsn) as owner:
        force(db, days[0])
        assert drop_days(owner) == [("failed", days[0]), *(("dropped", day) for day in days[1:])]


def test_who_holds_a_parent_for_ever_keeps_no_rows_of_any_old_day(db, other_db, days):
    with other_db.transaction():
        other_db.execute(PARENT)
        for emptied in range(len(days)):
            assert drop_days(db, 1) == [
                *(("empty", day) for day in days[: min(emptied, 1)]),
                ("emptied", days[emptied]),
            ], "what is empty, but for the first, is passed over"
        assert db.execute("select count(*) as n from notify.notifications").fetchone().n == 0
        assert drop_days(db, 1) == [("empty", days[0])]
    assert drop_days(db) == [("dropped", day) for day in days]


def test_who_holds_the_oldest_day_for_ever_keeps_no_rows_of_the_others(db, other_db, days):
    with other_db.transaction():
        other_db.execute(f"select from notify.{days[0]}")
        assert drop_days(db) == [("busy", days[0]), *(("emptied", day) for day in days[1:])]
    assert drop_days(db) == [("dropped", day) for day in days]
