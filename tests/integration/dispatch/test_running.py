"""A dispatcher that runs by itself: it wakes, stands by, takes over, and lives through outages."""

import time
from contextlib import suppress

import psycopg
import pytest

from service.ledger.connection import connect
from service.model.words import LANES
from tests.integration.dispatch.servers import Valkey
from tests.ledger import ago, claim, enqueue, put, row, settle, status
from tests.waiting import wait_for

ROLE = (
    "select pid from pg_stat_activity where application_name = 'notify-disp'"
    " and datname = current_database()"
)
NOT_ONLY_LEADING = ROLE + " and query !~ 'notify[.](lead|lock_holder)'"
LEADS = (
    "select pid from pg_locks where locktype = 'advisory' and objid = 2 and granted"
    " and classid = 1852798057"
    " and database = (select oid from pg_database where datname = current_database())"
)
STANDS_BY = f"{ROLE} and query ~ 'notify[.](lead|lock_holder)' and pid not in ({LEADS})"
ASLEEP = LEADS.replace("objid = 2", "objid = 1 and mode = 'ExclusiveLock'")


def sleeping(db):
    """Give the server's process that holds the doorbell's lock: its dispatcher is asleep."""
    session = db.execute(ASLEEP).fetchone()
    return session and session.pid


def leader(db):
    """Give the server's process that holds the lead."""
    session = db.execute(LEADS).fetchone()
    return session and session.pid


def wait_until_seen(ready, ids):
    """Wait until the ids are offered."""
    wait_for(lambda: set(ids) <= ready.ids())


def times(events, name, what):
    """Count how often an event about `what` was logged."""
    return sum(event == name and extra.get("what") == what for event, extra in events)


@pytest.mark.usefixtures("no_tick")
def test_an_insert_wakes_it_each_time(db, driven, ready):
    with driven.running():
        for _ in range(30):
            wait_for(lambda: sleeping(db))
            wait_until_seen(ready, enqueue(db))
        assert driven.metric("dispatcher_bells_total") > 0
        assert driven.metric("dispatcher_leading") == 1


@pytest.mark.usefixtures("no_tick")
@pytest.mark.parametrize("lane", LANES)
def test_an_insert_into_any_lane_wakes_it(db, driven, ready, lane):
    with driven.running():
        wait_for(lambda: sleeping(db))
        [id] = enqueue(db, priority=lane)
        wait_for(lambda: id in ready.ids(lane))


@pytest.mark.usefixtures("no_tick")
def test_a_send_at_is_met_without_anybody_ringing(db, driven, ready):
    with driven.running():
        wait_for(lambda: sleeping(db))
        [id] = enqueue(db, send_at=ago(db, "-0.4 seconds"))
        wait_for(lambda: id in ready.ids())
        late = db.execute("select clock_timestamp() as t").fetchone().t - row(db, id).due_at
        assert late.total_seconds() >= 0


def test_a_retry_is_met_when_it_falls_due(db, driven, ready):
    with driven.running():
        [id] = enqueue(db)
        wait_for(lambda: id in ready.ids())
        settle(db, claim(db, ready.pop(1)), "temporary", schedule=[0.2])
        wait_for(lambda: id in ready.ids())
        assert claim(db, ready.pop(1))[0].attempt == 2
        assert driven.lost == 0


def test_a_silenced_bulk_load_is_found_by_the_tick(db, driven, ready):
    with driven.running():
        wait_for(lambda: sleeping(db))
        with db.transaction():
            db.execute("set local notify.wake = off")
            ids = enqueue(db, 10)
        wait_until_seen(ready, ids)
        assert driven.metric("dispatcher_bells_total") == 0


@pytest.mark.slow  # seconds pass
def test_a_slow_drain_of_an_old_backlog_finds_nothing_lost(db, driven, ready):
    left = set(enqueue(db, 600))
    with driven.running():
        while left:
            hand = wait_for(lambda: ready.pop(20))
            time.sleep(0.15)  # a slow worker: some looks fall into it
            left -= {claimed.id for claimed in claim(db, hand)}
        assert driven.lost == 0
        assert driven.metric("dispatcher_offered_total") == 600


def test_the_reaper_reconciler_and_gauges_run_on_their_intervals(db, drive, ready, no_grace):
    id = put(db, "sending", lease_until=ago(db, "1 second"))
    enqueue(db, 4, send_at=ago(db, "-1 hour"))
    fast = {
        "reaping_interval_mins": 0.01,
        "reconciliation_interval_mins": 0.01,
        "gauges_interval_s": 0.5,
    }
    driven = drive(**fast)
    with driven.running():
        wait_for(lambda: driven.metric("reaper_runs_total") >= 2)
        wait_for(lambda: driven.metric("reconciler_runs_total") >= 2)
        wait_for(lambda: id in ready.ids())
        wait_for(lambda: driven.metric("db_queued_notifications") == 5)
        assert driven.metric("reaper_rows_total", status="queued") == 1
        assert driven.metric("db_sending_notifications") == 0
        assert driven.metric("db_gauges_timestamp_seconds") > time.time() - 60
    assert driven.lost == 0


def test_without_redis_the_background_jobs_still_run(db, drive, no_grace):
    id = put(db, "sending", lease_until=ago(db, "1 second"))
    driven = drive(redis_url=None)
    with driven.running():
        wait_for(lambda: status(db, id) == "queued")
        wait_for(lambda: driven.metric("db_queued_notifications") == 1)


def test_it_goes_on_by_itself_when_redis_was_away_and_says_so_once(
    db, drive, keys, events, tmp_path
):
    with Valkey(tmp_path) as valkey:
        driven = drive(redis_url=valkey.url)
        with driven.running():
            first = enqueue(db, 3)
            wait_for(lambda: valkey.count(keys) == 3)
            valkey.stop()
            second = enqueue(db, 4)
            wait_for(lambda: times(events, "away", "dispatch"))
            valkey.start()
            wait_for(lambda: valkey.count(keys) == len(first) + len(second))
            wait_for(lambda: times(events, "back", "dispatch"))
        assert times(events, "away", "dispatch") == 1
        assert times(events, "back", "dispatch") == 1
        assert driven.lost == 3  # went with the old server, and were offered again


@pytest.mark.usefixtures("no_tick")
def test_it_goes_on_when_its_listening_session_is_ended(db, driven, ready):
    with driven.running():
        old = wait_for(lambda: sleeping(db))
        assert db.execute("select pg_terminate_backend(%s) as ended", [old]).fetchone().ended
        wait_for(lambda: sleeping(db) not in (None, old))
        wait_until_seen(ready, enqueue(db))


def test_it_goes_on_when_every_session_of_it_is_ended(db, driven, ready):
    with driven.running():
        wait_for(lambda: sleeping(db))
        db.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where pid <> "
            "pg_backend_pid() and datname = current_database()"
            " and application_name like 'notify-%'"
        )
        wait_until_seen(ready, enqueue(db))
        wait_for(lambda: leader(db))


def test_one_leads_and_the_other_stands_by_without_listening(db, drive):
    first, second = drive(), drive()
    with first.running():
        wait_for(lambda: sleeping(db))
        with second.running():
            wait_for(lambda: len(db.execute(ROLE).fetchall()) == 3)
            wait_for(lambda: len(db.execute(NOT_ONLY_LEADING).fetchall()) == 1)
            assert first.metric("dispatcher_leading") == 1
            assert second.metric("dispatcher_leading") == 0


@pytest.mark.slow  # seconds pass
def test_a_standby_says_that_postgresql_is_back_though_another_leads(db, drive, events):
    first, second = drive(), drive()
    with first.running():
        wait_for(lambda: sleeping(db))
        with second.running():
            standby = wait_for(lambda: db.execute(STANDS_BY).fetchone())
            db.execute("select pg_terminate_backend(%s)", [standby.pid])
            wait_for(lambda: times(events, "away", "postgresql"))
            wait_for(lambda: times(events, "back", "postgresql"))
            assert second.metric("dispatcher_leading") == 0


def test_the_standby_leads_when_the_leader_ends(db, drive, ready):
    first, second = drive(), drive()
    with first.running():
        wait_for(lambda: leader(db))
        with second.running():
            wait_for(lambda: len(db.execute(ROLE).fetchall()) >= 2)
            db.execute("select pg_terminate_backend(%s)", [leader(db)])
            wait_for(lambda: sleeping(db) and leader(db))
            wait_for(lambda: sum(d.metric("dispatcher_leading") for d in (first, second)) == 1)
            wait_until_seen(ready, enqueue(db))


def test_a_stopped_leader_leaves_no_session_behind_and_the_standby_takes_over(db, drive, ready):
    first, second = drive(), drive()
    with second.running():
        wait_for(lambda: leader(db))
        with first.running():
            wait_for(lambda: len(db.execute(ROLE).fetchall()) == 3)
        wait_for(lambda: len(db.execute(ROLE).fetchall()) == 2)
        assert second.metric("dispatcher_leading") == 1
    wait_for(lambda: not db.execute(ROLE).fetchall())
    with first.running():
        wait_until_seen(ready, enqueue(db))


@pytest.mark.usefixtures("no_tick")
def test_a_session_that_could_not_listen_is_not_taken_for_a_listener(
    db, driven, ready, events, monkeypatch
):
    """So it is on a standby that is promoted later: connected, and LISTEN was refused."""
    refused = []

    async def connect_badly(url, role):
        conn = await connect(url, role)
        if not refused:
            refused.append(conn)
            with suppress(psycopg.Error):
                await conn.execute("begin; select 1/0")
        return conn

    monkeypatch.setattr("service.dispatch.doorbell.connect", connect_badly)
    with driven.running():
        wait_for(lambda: sleeping(db))
        assert refused[0].closed
        assert times(events, "away", "doorbell") == times(events, "back", "doorbell") == 1
        wait_until_seen(ready, enqueue(db))


@pytest.mark.usefixtures("no_tick")
def test_a_producer_that_stays_open_delays_nobody_else(db, other_db, driven, ready):
    with driven.running():
        with other_db.transaction():
            [held] = enqueue(other_db)
            for _ in range(5):
                wait_until_seen(ready, enqueue(db))
            assert held not in ready.ids()
        wait_until_seen(ready, [held])
