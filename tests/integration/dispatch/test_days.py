"""The leader's care for days: each step on its own, soon again after a lock, and logged by name."""

from datetime import UTC, datetime

import pytest

from service.dispatch.days import AHEAD_DAYS, HOURLY_S, SOON_S
from service.doctor.days import maintenance_finding, room_finding
from tests.ledger import put
from tests.sql.long import old_id


@pytest.fixture
def old(db):
    """Make a day older than its retention, and return its name."""
    put(db, "sent", id=old_id(db, 5))
    [made, _] = db.execute("select * from notify.make_days(0, '6 days')").fetchall()
    return made.partition


@pytest.fixture
def kept(drive):
    """Drive a dispatcher whose leader keeps days for two of them."""
    return drive(retention_days=2, send_at_max_days=2)


def keep(kept):
    return kept.call(kept.jobs.days.keep())


def failed(kept, step):
    return kept.metric("notify_maintenance_failed", step=step)


def exists(db, name):
    return db.execute("select to_regclass('notify.' || %s) is not null as x", [name]).fetchone().x


def test_what_is_due_is_done_and_comes_again_in_an_hour(db, kept, old):
    assert HOURLY_S - 60 < keep(kept) <= HOURLY_S
    assert not exists(db, old)
    assert [failed(kept, step) for step in ("make_days", "drop_days", "sweep_default")] == [0] * 3


def test_a_lock_in_the_way_brings_it_back_within_a_minute(db, other_db, kept, old):
    with other_db.transaction():
        other_db.execute(f"lock table notify.{old} in access share mode")
        assert keep(kept) <= SOON_S
    assert failed(kept, "drop_days") == 1
    assert failed(kept, "make_days") == 0


ODD = {
    "a view on the day": "create view public.v as select * from notify.{old}",
    "a foreign key": "create table public.o (n uuid references notify.notifications (id))",
    "an event trigger on drops": "create function public.no() returns event_trigger"
    " language plpgsql as $$ begin raise 'no'; end $$; create event trigger no on sql_drop"
    " execute function public.no()",
}


@pytest.mark.parametrize("name", ODD)
def test_an_old_day_that_cannot_go_is_told_and_new_days_are_made(db, kept, old, name):
    [last] = db.execute(
        "select max(relname) as name from pg_class where relname ~ '^notifications_[0-9]{8}$'"
    ).fetchall()
    db.execute(f"drop table notify.{last.name}")
    db.execute(ODD[name].replace("{old}", old))
    keep(kept)
    assert exists(db, last.name)
    assert exists(db, old)
    assert failed(kept, "drop_days") == 1
    assert failed(kept, "sweep_default") == 0


def test_a_new_day_that_cannot_be_made_is_told_and_old_days_go(db, kept, old):
    [last] = db.execute(
        "select max(relname) as name from pg_class where relname ~ '^notifications_[0-9]{8}$'"
    ).fetchall()
    db.execute(f"drop table notify.{last.name}")
    db.execute(
        "create function public.no() returns event_trigger language plpgsql"
        " as $$ begin raise 'no'; end $$; create event trigger no on ddl_command_start"
        " when tag in ('CREATE TABLE') execute function public.no()"
    )
    keep(kept)
    assert not exists(db, last.name)
    assert not exists(db, old)
    assert failed(kept, "make_days") == 1
    assert failed(kept, "drop_days") == 0


def test_a_step_that_raises_keeps_no_other_away_and_is_raised_in_the_end(db, kept, old):
    db.execute("drop function notify.make_days")
    with pytest.raises(Exception, match="schema"):
        keep(kept)
    assert not exists(db, old)
    assert failed(kept, "make_days") == 1


def test_doctor_names_the_first_of_each_and_says_nothing_of_what_is_fine():
    assert not maintenance_finding([]).advice
    finding = maintenance_finding(
        [("make_days", "a", None), ("make_days", "b", None), ("drop_days", "c", "view v")]
    )
    assert finding.found == "missing ahead: a; over retention: c (view v)"
    assert finding.advice


def test_while_the_clock_is_in_doubt_nobody_is_told_to_drop_a_day():
    until = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    finding = maintenance_finding([("drop_days", "a", None)], until)
    assert "2026-03-01 12:30 UTC" in finding.found
    assert not finding.advice
    ahead = maintenance_finding([("make_days", "b", None), ("drop_days", "a", None)], until)
    assert ahead.found == "missing ahead: b"
    assert ahead.advice


@pytest.mark.parametrize(
    ("days", "per_transaction", "transactions", "fine"),
    [(30, 64, 100, True), (365, 64, 100, True), (1000, 64, 100, False), (1000, 128, 100, True),
     (30, 10, 20, False)],
)  # fmt: skip
def test_the_locks_of_the_server_are_judged_by_the_days(days, per_transaction, transactions, fine):
    finding = room_finding(days, per_transaction, transactions)
    assert (finding.advice == "") is fine
    if not fine:
        wanted = int(finding.advice.split("max_locks_per_transaction to ")[1].split()[0])
        assert not room_finding(days, wanted, transactions).advice
        assert wanted * transactions >= 10 * (days + AHEAD_DAYS)
