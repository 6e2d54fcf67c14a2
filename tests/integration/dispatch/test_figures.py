"""What the leader shows: true while it can read it, unknown when it cannot or no longer leads."""

import math
import os
import socket
import time

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

import service.dispatch.jobs
from service.dispatch.figures import MISSES_MAX, FigureReader
from service.errors import DatabaseAway
from service.metrics import JOBS
from tests.integration.dispatch.servers import Valkey
from tests.integration.dispatch.test_running import leader
from tests.ledger import (
    ago,
    claim,
    counted,
    ended,
    enqueue,
    pause,
    put,
    redrive,
    resume,
    settle,
)
from tests.waiting import wait_for

LEAD = "select pg_try_advisory_lock(1852798057, 2) as is_ours"


@pytest.fixture
def driven(drive, monkeypatch):
    """Give a dispatcher that reads its figures often."""
    monkeypatch.setattr(service.dispatch.jobs, "VITALS_INTERVAL_S", 0.2)
    monkeypatch.setattr(service.dispatch.jobs, "SLO_INTERVAL_S", 0.2)
    monkeypatch.setattr(service.dispatch.jobs, "REDIS_INTERVAL_S", 0.2)
    return drive(gauges_interval_s=0.2)


def is_unknown(driven, name, **labels):
    return math.isnan(driven.metric(name, **labels))


def rename(db, function, name):
    db.execute(
        SQL("alter function notify.{} rename to {}").format(Identifier(function), Identifier(name))
    )


@pytest.mark.parametrize(
    ("function", "metric", "labels"),
    [
        ("lanes", "db_queued_notifications", {}),
        ("lanes", "db_oldest_due_age_seconds", {}),
        ("vitals", "db_size_bytes", {"table": "attempts"}),
        ("vitals", "db_notify_queue_usage_ratio", {}),
    ],
)
def test_what_cannot_be_read_any_more_becomes_unknown_and_comes_back(
    db, driven, function, metric, labels
):
    with driven.running():
        wait_for(lambda: not is_unknown(driven, metric, **labels))
        rename(db, function, "gone")
        wait_for(lambda: is_unknown(driven, metric, **labels))
        other = "db_dead_tuples" if function == "lanes" else "db_sending_notifications"
        labels_of_other = {"table": "attempts"} if function == "lanes" else {}
        assert not is_unknown(driven, other, **labels_of_other)
        rename(db, "gone", function)
        wait_for(lambda: not is_unknown(driven, metric, **labels))


def test_it_shows_for_how_long_something_has_been_paused(db, driven):
    forgotten = pause(db, "channel", "email")
    db.execute("update notify.pauses set paused_at = paused_at - interval '2 days'")
    pause(db, "channel", "log")
    with driven.running():
        wait_for(lambda: driven.metric("db_oldest_pause_age_seconds") > 86400)
        resume(db, forgotten)
        wait_for(lambda: 0 < driven.metric("db_oldest_pause_age_seconds") < 86400)
        db.execute("update notify.pauses set resumed_at = now()")
        wait_for(lambda: driven.metric("db_oldest_pause_age_seconds") == 0)


def test_one_miss_changes_nothing(db, driven):
    queue = driven.jobs._metrics.queue
    reader = FigureReader(driven.jobs.figures.read_queue, queue)
    enqueue(db)
    driven.call(reader.look())
    rename(db, "lanes", "gone")
    for misses in range(1, MISSES_MAX + 1):
        with pytest.raises(DatabaseAway):
            driven.call(reader.look())
        assert is_unknown(driven, "db_queued_notifications") == (misses == MISSES_MAX)
    rename(db, "gone", "lanes")
    driven.call(reader.look())
    assert driven.metric("db_queued_notifications") == 1


def test_who_has_lost_the_lead_shows_nothing_until_it_leads_again(db, other_db, driven):
    enqueue(db, 3, send_at=ago(db, "-1 hour"))
    shown = [
        ("db_queued_notifications", {}),
        ("db_size_bytes", {"table": "notifications"}),
        ("dispatcher_ready_set_depth", {"priority": "2"}),
        ("dispatcher_redis_up", {}),
    ]
    with driven.running():
        for name, labels in shown:
            wait_for(lambda n=name, k=labels: not is_unknown(driven, n, **k))
        read_at = driven.metric("db_gauges_timestamp_seconds")
        db.execute("select pg_terminate_backend(%s)", [leader(db)])
        wait_for(lambda: other_db.execute(LEAD).fetchone().is_ours)
        for name, labels in shown:
            wait_for(lambda n=name, k=labels: is_unknown(driven, n, **k))
        assert driven.metric("dispatcher_leading") == 0
        assert driven.metric("db_gauges_timestamp_seconds") >= read_at > time.time() - 60
        other_db.close()
        for name, labels in shown:
            wait_for(lambda n=name, k=labels: not is_unknown(driven, n, **k))
        assert driven.metric("db_queued_notifications") == 3


def test_a_standby_shows_no_figures(db, drive, other_db):
    assert other_db.execute(LEAD).fetchone().is_ours
    standby = drive(gauges_interval_s=0.2)
    standby.call(standby.dispatcher._leader.elect())
    assert is_unknown(standby, "db_queued_notifications")
    assert standby.metric("db_gauges_timestamp_seconds") == 0


def test_redis_is_up_with_its_memory_and_then_it_is_not(db, drive, tmp_path, monkeypatch):
    monkeypatch.setattr(service.dispatch.jobs, "REDIS_INTERVAL_S", 0.1)
    with Valkey(tmp_path) as valkey:
        driven = drive(redis_url=valkey.url)
        with driven.running():
            wait_for(lambda: driven.metric("dispatcher_redis_up") == 1)
            wait_for(lambda: driven.metric("dispatcher_redis_memory_bytes") > 100_000)
            wait_for(lambda: driven.metric("dispatcher_redis_memory_max_bytes") >= 0)
            wait_for(lambda: driven.metric("dispatcher_ready_set_depth", priority="1") == 0)
            valkey.stop()
            wait_for(lambda: driven.metric("dispatcher_redis_up") == 0)
            wait_for(lambda: is_unknown(driven, "dispatcher_redis_memory_bytes"))
            wait_for(lambda: is_unknown(driven, "dispatcher_ready_set_depth", priority="1"))
            valkey.start()
            wait_for(lambda: driven.metric("dispatcher_redis_up") == 1)
            wait_for(lambda: driven.metric("dispatcher_ready_set_depth", priority="1") == 0)


def test_vitals_are_shown_as_postgresql_has_them(db, driven):
    other = psycopg.connect(driven.settings.database_url)
    with driven.running(), other:
        other.execute("select pg_current_xact_id()")
        wait_for(lambda: driven.metric("db_oldest_transaction_age_seconds") > 0)
        enqueue(db, 2)
        wait_for(lambda: driven.metric("db_xmin_age_transactions") >= 1)
        vitals = db.execute("select * from notify.vitals()").fetchone()
        assert driven.metric("db_partitions_ahead_days") == vitals.days_ahead == 7
        assert driven.metric("db_size_bytes", table="attempts") == vitals.attempts_bytes
        assert driven.metric("db_default_partition_rows", table="notifications") == 0
        assert driven.metric("db_notify_queue_usage_ratio") == 0
    other.close()


def test_the_service_level_is_folded_and_counted(db, driven):
    ids = enqueue(db, 5, max_attempts=1, priority=1)
    settle(db, claim(db, ids[:3]))
    settle(db, claim(db, ids[3:]), "permanent")
    settle(db, claim(db, [put(db, "queued", created_at=ago(db, "1 hour"))]))
    claim(db, [put(db, "queued", expires_at=ago(db, "1 second"))])
    with driven.running():
        wait_for(lambda: db.execute("select from notify.slo_daily").rowcount == 2)

        def shown(result, priority=1):
            return driven.metric(
                "slo_notifications_total", channel="log", priority=str(priority), result=result
            )

        wait_for(lambda: shown("in_time") == 3)
        assert (shown("failed"), shown("late", 2), shown("expired", 2)) == (2, 1, 1)
        redrive(db, ids=ids[3:], rate=None)
        settle(db, claim(db, ids[3:]))
        wait_for(lambda: shown("in_time") == 5)
        assert shown("failed") == 2
        daily = db.execute("select in_time, failed from notify.slo_daily where priority = 1")
        assert daily.fetchone() == (5, 0)
    assert counted(db) == ended(db)


def test_more_deltas_than_one_call_takes_are_folded_at_once(db, driven, monkeypatch):
    monkeypatch.setattr(service.dispatch.jobs, "SLO_DELTAS_MAX", 2)
    for _ in range(5):
        settle(db, claim(db, enqueue(db)))
    driven.call(driven.jobs.fold_slo())
    assert db.execute("select count(*) as n from notify.slo_deltas").fetchone().n == 0
    assert counted(db) == ended(db)


def test_every_job_shows_when_it_last_succeeded(db, driven):
    assert {job.name for job in driven.jobs._jobs if job.is_shown} == set(JOBS)
    with driven.running():
        for job in JOBS:
            name = "job_last_success_timestamp_seconds"
            wait_for(lambda j=job, n=name: driven.metric(n, name=j) > time.time() - 60)


def figures(db):
    return db.execute("select * from notify.figures order by at").fetchall()


def test_what_is_read_of_the_queue_is_noted_in_the_ledger(db, driven):
    enqueue(db, 2, priority=0)
    put(db, "queued", priority=0, due_at=ago(db, "1 hour"))
    claim(db, enqueue(db, 2, priority=3)[:1])
    with driven.running():
        wait_for(lambda: len(figures(db)) > 1)
    got = figures(db)[0]
    assert (got.queued, got.quiet, got.sending, got.is_estimate) == ([3, 0, 0, 1], 0, 1, False)
    assert got.leader == f"{socket.gethostname()}:{os.getpid()}"
    assert got.oldest_due_s >= 3600


def test_what_cannot_be_noted_is_shown_all_the_same(db, driven):
    rename(db, "note_figures", "gone")
    enqueue(db)
    with driven.running():
        wait_for(lambda: driven.metric("db_queued_notifications") == 1)
        enqueue(db)
        wait_for(lambda: driven.metric("db_queued_notifications") == 2)
    assert figures(db) == []


def test_who_does_not_lead_notes_nothing(db, drive, other_db):
    assert other_db.execute(LEAD).fetchone().is_ours
    standby = drive(gauges_interval_s=0.05)
    standby.call(standby.dispatcher._leader.elect())
    assert figures(db) == []


def test_a_job_that_fails_is_no_success(db, driven):
    rename(db, "fold_slo", "gone")
    with driven.running():
        wait_for(lambda: driven.metric("job_last_success_timestamp_seconds", name="gauges") > 0)
        assert driven.metric("job_last_success_timestamp_seconds", name="slo") == 0
