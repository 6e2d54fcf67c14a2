"""The ledger's clock jumps: what it put off comes back, and live leases are not reaped."""

import math
import time
from datetime import datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from service.dispatch.jobs import Jobs
from service.dispatch.mender import Mender
from service.metrics import DispatcherMetrics
from tests.ledger import (
    ago,
    attempts_of,
    change,
    claim,
    enqueue,
    insert,
    put,
    row,
    settle,
    status,
)
from tests.sql.long import old_id
from tests.sql.test_born_ahead import id_in
from tests.sql.test_note_figures import fill
from tests.sql.test_turn_keys import before, let_the_wait_pass, make_time
from tests.waiting import wait_for

AHEAD = (
    "alter function notify.ledger() rename to ledger_of_now;"
    "create function notify.ledger() returns table (id text, now_s double precision)"
    " language sql as $$ select id, now_s + {} from notify.ledger_of_now() $$"
)
RIGHT = "drop function notify.ledger(); alter function notify.ledger_of_now() rename to ledger"


class Leader:
    """A leader's mender, which looks when a test calls it."""

    def __init__(self, driven):
        self.registry = CollectorRegistry()
        self.metrics = DispatcherMetrics(self.registry)
        self.mender = Mender(driven.store, self.metrics, driven.settings.lease_s)
        self._call = driven.call

    def look(self):
        self._call(self.mender.look())

    def mended(self, what):
        return self.registry.get_sample_value("clock_mended_rows_total", {"what": what})


@pytest.fixture
def leader(driven):
    return Leader(driven)


def an_hour_ahead(db):
    """Leave behind what a clock that is two hours ahead does: queued, waiting, sending."""
    then = ago(db, "-2 hours")
    queued = put(db, "queued", id=id_in(db, "2 hours"))
    change(db, queued, created_at=then, due_at=then)
    sending = put(db, "sending", lease_until=then, first_claimed_at=then)
    waiting = put(db, "queued", attempt=1, first_claimed_at=then, due_at=then)
    return queued, waiting, sending


def test_where_all_clocks_are_right_nothing_is_touched(db, leader):
    ids = [put(db, "sending"), *enqueue(db, 2), *enqueue(db, 2, send_at=ago(db, "-2 hours"))]
    before = [row(db, id) for id in ids]
    for _ in range(3):
        leader.look()
    assert [row(db, id) for id in ids] == before
    assert (leader.mended("due"), leader.mended("lease")) == (0, 0)
    assert leader.registry.get_sample_value("db_created_ahead_seconds") == 0


def test_a_time_ahead_that_nobody_saw_end_is_proved_by_its_rows(db, leader, events):
    queued, waiting, sending = an_hour_ahead(db)
    leader.look()
    assert all(row(db, id).due_at <= ago(db, "0 s") for id in (queued, waiting))
    assert row(db, sending).lease_until <= ago(db, "-30 seconds")
    assert (leader.mended("due"), leader.mended("lease")) == (2, 1)
    assert 7000 < leader.registry.get_sample_value("db_created_ahead_seconds") <= 7200
    assert [name for name, _ in events] == ["clock_mended"]


def test_each_time_ahead_is_mended_once(db, leader, events):
    an_hour_ahead(db)
    for _ in range(3):
        leader.look()
    assert [name for name, _ in events] == ["clock_mended"]
    later = put(db, "queued", id=id_in(db, "3 hours"))
    change(db, later, created_at=ago(db, "-3 hours"), due_at=ago(db, "-3 hours"))
    leader.look()
    assert row(db, later).due_at <= ago(db, "0 s")


def test_a_leader_that_saw_the_clock_go_back_needs_no_other_proof(db, leader, events):
    db.execute(AHEAD.format(7200))
    leader.look()
    sending = put(db, "sending", lease_until=ago(db, "-20 minutes"))
    db.execute(RIGHT)
    leader.look()
    assert row(db, sending).lease_until <= ago(db, "-30 seconds")
    assert [name for name, _ in events] == ["ledger_clock_jumped", "clock_mended"]


def test_what_could_not_be_mended_is_tried_again(db, leader, monkeypatch):
    db.execute(AHEAD.format(7200))
    leader.look()
    sending = put(db, "sending", lease_until=ago(db, "-20 minutes"))
    db.execute(RIGHT)
    db.execute("alter function notify.mend_leases(uuid, uuid, interval, integer) rename to away")
    with pytest.raises(Exception, match="notify migrate"):
        leader.look()
    db.execute("alter function notify.away(uuid, uuid, interval, integer) rename to mend_leases")
    leader.look()
    assert row(db, sending).lease_until <= ago(db, "-30 seconds")


def test_many_rows_of_all_lanes_come_back_in_calls_of_a_thousand(db, leader, monkeypatch):
    monkeypatch.setattr("service.dispatch.mender.ROWS_MAX", 7)
    for lane in range(4):
        enqueue(db, 20, priority=lane)
    db.execute(
        "update notify.notifications set created_at = created_at + interval '2 hours',"
        " due_at = due_at + interval '2 hours'"
    )
    change(db, put(db, "sent", id=id_in(db, "2 hours")), created_at=ago(db, "-2 hours"))
    leader.look()
    assert leader.mended("due") == 80


def test_after_a_jump_ahead_the_living_settle_before_they_are_reaped(db, driven, monkeypatch):
    metrics = DispatcherMetrics(CollectorRegistry())
    jobs = Jobs(driven.settings, driven.store, metrics, None)
    monkeypatch.setattr("service.dispatch.reaper.SETTLE_GRACE_S", 0.0)
    jobs.reaper.heard()
    driven.call(jobs.mender.look())
    (claimed,) = claim(db, enqueue(db))
    change(db, claimed.id, lease_until=ago(db, "2 hours"))  # as by a clock that is ahead
    db.execute(AHEAD.format(7200))
    assert 0 < driven.call(jobs.reaper.reap()) <= driven.settings.lease_s
    assert status(db, claimed.id) == "sending"
    settle(db, [claimed])
    assert [a.outcome for a in attempts_of(db, claimed.id)] == ["sent"]
    db.execute(RIGHT)


def test_no_day_is_dropped_for_a_clock_that_is_ahead(db, driven):
    jobs = Jobs(driven.settings, driven.store, DispatcherMetrics(CollectorRegistry()), None)
    day = ago(db, f"{driven.settings.retention_days + 20} days").date()
    for age in (0, 10):
        db.execute("select notify.make_day(%s, 1)", [day + timedelta(days=age)])
    db.execute(AHEAD.format(15 * 86400))  # and keep_partitions' own clock says the same
    driven.call(jobs.days.keep())
    days = "select count(*) as n from pg_class where relname in (%s, %s)"
    names = [f"notifications_{day + timedelta(days=age):%Y%m%d}" for age in (0, 10)]
    assert db.execute(days, names).fetchone().n == 1
    db.execute(RIGHT)
    keep_days_again(jobs, driven)
    assert db.execute(days, names).fetchone().n == 1  # the clock has jumped
    let_the_wait_pass(db)
    keep_days_again(jobs, driven)
    assert db.execute(days, names).fetchone().n == 0


def keep_days_again(jobs, driven):
    for step in jobs.days._steps:
        step.due_at = -math.inf
    driven.call(jobs.days.keep())


class History:
    """A day, a stray, a payload and a key that are past their time, and the jobs that know it."""

    def __init__(self, db, driven):
        self._db, self._driven = db, driven
        self.jobs = Jobs(
            driven.settings, driven.store, DispatcherMetrics(CollectorRegistry()), None
        )
        day = ago(db, "40 days").date()
        db.execute("select notify.make_day(%s, 1)", [day])
        self._day = f"notifications_{day:%Y%m%d}"
        self._stray = put(db, "sent", id=old_id(db, 50))
        self._emptied = put(db, "sent", id=old_id(db, 20), settled_at=ago(db, "20 days"))
        insert(db, idempotency_key="k")
        make_time(db)

    def forget(self):
        """Run each job that forgets."""
        keep_days_again(self.jobs, self._driven)
        self._driven.call(self.jobs.payloads.empty())
        self._driven.call(self.jobs.turn_keys())

    def is_left(self):
        """Say of each of the four whether it is there."""
        query = "select to_regclass('notify.' || %s) is not null as x"
        return (
            self._db.execute(query, [self._day]).fetchone().x,
            exists(self._db, self._stray),
            row(self._db, self._emptied).payload is not None,
            before(self._db) == [],
        )


WHOLE, GONE = (True,) * 4, (False,) * 4


def exists(db, id):
    query = "select exists (select from notify.notifications where id = %s) as x"
    return db.execute(query, [id]).fetchone().x


@pytest.fixture
def history(db, drive):
    return History(db, drive(payload_days=10))


def test_where_the_clock_is_right_history_goes_in_its_time(history):
    history.forget()
    assert history.is_left() == GONE


@pytest.mark.parametrize("jump", [40 * 86400, -400 * 86400, 2 * 86400, -2 * 86400])
def test_after_a_jump_nothing_is_forgotten_for_a_day(db, driven, history, events, jump):
    driven.call(history.jobs.mender.look())
    db.execute(AHEAD.format(jump))
    for _ in range(2):
        history.forget()
    assert history.is_left() == WHOLE
    [until] = [fields["until"] for event, fields in events if event == "forgetting_waits"]
    assert ago(db, "-23 hours") < datetime.fromisoformat(until) <= ago(db, "-24 hours")
    db.execute(RIGHT)
    driven.call(history.jobs.mender.look())
    let_the_wait_pass(db)
    history.forget()
    assert history.is_left() == GONE


@pytest.mark.parametrize("figures", ["400 days", "-40 days"])
def test_a_leader_that_has_just_begun_knows_a_wrong_clock_by_the_figures(db, history, figures):
    fill(db, 3, figures)
    history.forget()
    assert history.is_left() == WHOLE


def test_a_jump_of_hours_puts_nothing_off(db, driven, history):
    driven.call(history.jobs.mender.look())
    db.execute(AHEAD.format(12 * 3600))
    history.forget()
    db.execute(RIGHT)
    assert history.is_left() == GONE


def test_a_machine_that_has_slept_sees_no_jump(db, driven):
    slept = [5 * 86400.0]  # before it led
    metrics = DispatcherMetrics(CollectorRegistry())
    boot = lambda: time.monotonic() + slept[0]  # noqa: E731
    mender = Mender(driven.store, metrics, driven.settings.lease_s, boot)
    driven.call(mender.look())
    db.execute(AHEAD.format(3 * 86400))
    slept[0] += 3 * 86400.0
    assert driven.call(mender.may_forget())
    db.execute(RIGHT)
    assert not driven.call(mender.may_forget())


def test_a_doubt_that_cannot_be_written_down_keeps_nobody_from_reaping(db, driven, events):
    mender = driven.jobs.mender
    driven.call(mender.read_clock())
    db.execute(AHEAD.format(2 * 86400))
    db.execute("alter function notify.doubt_clock() rename to away")
    driven.call(mender.read_clock())
    with pytest.raises(Exception, match="notify migrate"):
        driven.call(mender.may_forget())
    driven.call(mender.read_clock())


def test_a_doubt_that_could_not_be_written_down_is_written_later(db, leader):
    leader.look()
    db.execute(AHEAD.format(2 * 86400))
    db.execute("alter function notify.doubt_clock() rename to away")
    with pytest.raises(Exception, match="notify migrate"):
        leader.look()
    db.execute("alter function notify.away() rename to doubt_clock")
    leader.look()
    waits = "select forget_from > clock_timestamp() as x from notify.settings"
    assert db.execute(waits).fetchone().x


def test_the_leader_mends_by_itself(db, driven):
    queued, _, _ = an_hour_ahead(db)
    with driven.running():
        wait_for(lambda: driven.metric("clock_mended_rows_total", what="due") == 2)
        wait_for(lambda: driven.metric("dispatcher_offered_total") == 2)
    assert status(db, queued) == "queued"
