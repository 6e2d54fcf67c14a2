"""What any role can do to a dispatcher: ring its bell for nothing, and hold its locks."""

import asyncio
import fcntl
import os
import resource
import termios
import threading
import time
from array import array

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from service.config.settings import Settings
from service.dispatch.doorbell import BELLS_MAX, Doorbell
from service.dispatch.offering import Offering
from service.dispatch.turns import BLIND_PAUSE_S, VAIN_PAUSE_S
from service.metrics import WorkerMetrics
from service.names.guard import LOOPBACK
from tests.integration.dispatch.test_running import leader, sleeping, times, wait_until_seen
from tests.ledger import enqueue
from tests.waiting import LIMIT_S, wait_for
from workers.runner import Worker

BELL, LEAD = 1, 2
HOLD = "select pg_advisory_lock(1852798057, {})"
SHARE = "select pg_advisory_lock_shared(1852798057, {})"


class CountingOffering(Offering):
    """Counts its looks."""

    looks = 0

    async def offer(self, **how):
        self.looks += 1
        return await super().offer(**how)


@pytest.fixture
def stranger(dsn):
    """Connect as somebody who knows our locks."""
    with psycopg.connect(dsn, autocommit=True, application_name="psql") as stranger:
        yield stranger


def fields_of(events, name):
    return [extra for event, extra in events if event == name]


def ring(db, count, size=0):
    """Ring in one transaction: the bells are different, or PostgreSQL would make them one."""
    db.execute(
        "select pg_notify('notify_wake', rpad(n::text, %s, '.')) from generate_series(1, %s) n",
        [max(size, 8), count],
    )


@pytest.fixture
def worker(dsn, redis_url):
    """Run a worker."""
    settings = Settings(database_url=dsn, redis_url=redis_url, webhook_allow=LOOPBACK)
    worker = Worker(settings, WorkerMetrics(CollectorRegistry()))
    worker.start()
    yield worker
    worker.stop()


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("how", [HOLD, SHARE, HOLD.replace("_lock(", "_xact_lock(")])
def test_who_holds_the_leaders_lock_is_logged_and_workers_go_on(db, driven, stranger, events, how):
    stranger.autocommit = "xact" not in how
    stranger.execute(how.format(LEAD))
    with driven.running():
        wait_for(lambda: driven.metric("dispatcher_lead_held_by_stranger") == 1)
        ids = enqueue(db, 50)
        sent = "select count(*) as n from notify.notifications where status = 'sent'"
        wait_for(lambda: db.execute(sent).fetchone().n == len(ids))
        assert driven.metric("dispatcher_leading") == 0
        [line] = fields_of(events, "lead_held_by_stranger")
        assert f"pid {stranger.info.backend_pid}, " in line["holder"]
        assert "application psql" in line["holder"]
        stranger.close()
        wait_for(lambda: driven.metric("dispatcher_leading") == 1)
        assert driven.metric("dispatcher_lead_held_by_stranger") == 0


def test_a_leader_of_ours_is_no_stranger(db, drive, events):
    first, second = drive(), drive()
    with first.running():
        wait_for(lambda: leader(db))
        second.call(second.dispatcher._leader.elect())
        second.call(second.dispatcher._see_who_leads())
    assert second.metric("dispatcher_lead_held_by_stranger") == 0
    assert not fields_of(events, "lead_held_by_stranger")


@pytest.fixture
def impatient(db, driven, monkeypatch):
    """Give a dispatcher that logs soon why it cannot sleep, and its database."""
    monkeypatch.setattr("service.dispatch.doorbell.ARM_PATIENCE_S", 0.05)
    return db, driven


@pytest.mark.usefixtures("no_tick")
@pytest.mark.parametrize("how", [HOLD, SHARE])
def test_a_doorbell_that_somebody_keeps_is_looked_past_and_logged(
    impatient, ready, stranger, events, how
):
    db, driven = impatient
    stranger.execute(how.format(BELL))
    with driven.dispatching():
        wait_for(lambda: fields_of(events, "doorbell_cannot_be_armed"))
        wait_until_seen(ready, enqueue(db))
        assert "application psql" in fields_of(events, "doorbell_cannot_be_armed")[0]["holder"]
        stranger.close()
        wait_for(lambda: sleeping(db))
        wait_until_seen(ready, enqueue(db))


def test_a_doorbell_that_is_kept_for_long_is_asked_at_a_pace(db, driven, stranger, monkeypatch):
    pauses = []

    async def pause(seconds):
        pauses.append(seconds)

    monkeypatch.setattr("service.dispatch.doorbell.ARM_PATIENCE_S", 0.0)
    stranger.execute(HOLD.format(BELL))
    driven.turn()
    monkeypatch.setattr("service.dispatch.turns.asyncio.sleep", pause)
    driven.turn()
    assert pauses == [BLIND_PAUSE_S]


@pytest.mark.usefixtures("no_tick")
def test_many_bells_at_once_wake_it_once(db, driven):
    with driven.dispatching():
        wait_for(lambda: sleeping(db))
        ring(db, BELLS_MAX // 2)
        wait_for(lambda: driven.metric("dispatcher_bells_total"))

        def rings_again():  # it may look asleep because it has not got up yet
            if sleeping(db):
                ring(db, 1)
            return driven.metric("dispatcher_bells_total") >= 2

        wait_for(rings_again)
        wait_for(lambda: sleeping(db))
    assert driven.metric("dispatcher_bells_total") < BELLS_MAX // 20  # it comes in some packets


def test_each_bell_for_nothing_is_followed_by_a_longer_pause(db, driven, monkeypatch):
    pauses = []

    async def pause(seconds):
        pauses.append(seconds)

    monkeypatch.setattr("service.dispatch.turns.asyncio.sleep", pause)
    monkeypatch.setattr("service.dispatch.turns.SLEEP_MAX_S", 300.0)
    first, last = VAIN_PAUSE_S
    for expected in [[], [first], [2 * first], [4 * first]]:
        pauses.clear()
        awoken(db, driven)
        assert pauses == expected
    driven.turns._vain_bells = 1000
    pauses.clear()
    awoken(db, driven)
    assert pauses == [last]
    enqueue(db)
    driven.turn()
    assert driven.turns._vain_bells == 0


def awoken(db, driven):
    """Let it do a turn, in which a bell rings for nothing."""
    turn = threading.Thread(target=driven.turn)
    turn.start()
    wait_for(lambda: sleeping(db))
    ring(db, 1)
    turn.join(10)
    assert not turn.is_alive()


@pytest.mark.usefixtures("no_tick")
@pytest.mark.parametrize("size", [8, 7999])
def test_a_flood_of_bells_does_not_keep_it_from_dispatching(db, driven, ready, events, size):
    with driven.dispatching():
        wait_for(lambda: sleeping(db))
        for count in (1, BELLS_MAX, 10 * BELLS_MAX):
            ring(db, count, size)
            wait_until_seen(ready, enqueue(db))
    assert not times(events, "away", "dispatch")


def test_it_is_deaf_for_a_while_after_a_flood_and_listens_again(db, dsn, events, monkeypatch):
    monkeypatch.setattr("service.dispatch.doorbell.BELLS_MAX", 100)

    async def flooded():
        doorbell = Doorbell(dsn)
        assert await doorbell.open()
        ring(db, 200)
        wait_for(lambda: unread_bytes(doorbell) >= 200 * len("notify_wake" + "12345678"))
        assert not await doorbell.arm_within(1)
        assert not await doorbell.open()
        doorbell._deaf_until = 0.0
        assert await doorbell.open()
        ring(db, 1)
        assert await doorbell.wait(LIMIT_S)
        await doorbell.close()

    asyncio.run(flooded())
    assert fields_of(events, "doorbell_flooded")


def unread_bytes(doorbell):
    """Return how many bytes have arrived that nobody has read."""
    count = array("i", [0])
    fcntl.ioctl(doorbell._conn.fileno(), termios.FIONREAD, count)
    return count[0]


@pytest.mark.usefixtures("no_tick")
def test_a_flood_from_many_sessions_costs_no_more_than_a_look_per_pause(db, dsn, drive, ready):
    driven = drive()
    driven.offering.__class__ = CountingOffering
    floods = [psycopg.connect(dsn, autocommit=True) for _ in range(4)]
    with driven.dispatching():
        wait_for(lambda: sleeping(db))
        began, looks = time.monotonic(), driven.offering.looks
        for _ in range(300):
            for flood in floods:
                ring(flood, 1)
        took_s = time.monotonic() - began
        looks = driven.offering.looks - looks
        wait_until_seen(ready, enqueue(db))
    for flood in floods:
        flood.close()
    # Two looks in a turn, and a pause that has grown to its limit within ten turns.
    assert looks <= 2 * (10 + took_s / VAIN_PAUSE_S[1] + 1)


@pytest.mark.needs("descriptors")
@pytest.mark.usefixtures("no_tick")
def test_it_hears_the_bell_with_a_descriptor_above_1023(db, drive, ready):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2048), hard))
    some = [os.open(os.devnull, os.O_RDONLY) for _ in range(1024)]
    try:
        driven = drive()
        with driven.dispatching():
            wait_for(lambda: sleeping(db))
            wait_until_seen(ready, enqueue(db))
            wait_for(lambda: driven.metric("dispatcher_bells_total"))
    finally:
        for descriptor in some:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
