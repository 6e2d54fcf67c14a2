"""Trying to lose a wake-up.

The tick that would save a lost row is put out of reach: a row that rang for nobody stays away from
the ready set until the test gives up on it. Three protocols that look right must be caught losing
wake-ups by the same race, or the race proves nothing.
"""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from uuid import UUID

import psycopg
import pytest
import redis
from psycopg import IsolationLevel

from service.dispatch.doorbell import ARM_WAIT_MS, Doorbell
from service.dispatch.turns import Turns
from tests.ledger import claim, insert
from tests.waiting import wait_for

PRODUCERS = 5
BELLS = 30  # it slept, again and again
BELLS_UNTIL_CAUGHT = 500
LOST_AFTER_S = 20.0  # a wake-up takes milliseconds; the next tick is minutes away
CAUGHT_AFTER_S = 2.0


class NoLookAfterArming(Turns):
    """A wrong variant: it does not look again after arming."""

    async def turn(self):
        await self._listen()
        if not (await self._offering.offer()).added and await self._doorbell.arm():
            await self._sleep(None)
            await self._doorbell.disarm()


class LooksWhileArming(Turns):
    """A wrong variant: it looks in the arming statement, whose snapshot is older than the grant."""

    ARM_AND_LOOK = (
        "select notify.arm(%s), exists (select from notify.notifications"
        " where status = 'queued' and due_at <= clock_timestamp())"
    )

    async def turn(self):
        await self._listen()
        if (await self._offering.offer()).added:
            return
        cursor = await self._doorbell._conn.execute(self.ARM_AND_LOOK, [ARM_WAIT_MS])
        armed, has_due = await cursor.fetchone()
        if armed:
            if not has_due:
                await self._sleep(None)
            await self._doorbell.disarm()


class SaysItIsArmed(Doorbell):
    """A wrong variant: it believes that it holds the lock while it waits for it."""

    async def arm(self):
        await super().arm()
        return True


class WaitingIsAsleep(Turns):
    """A wrong variant: its doorbell believes that it holds the lock while it waits for it."""

    def __init__(self, direct_url, *others):
        super().__init__(direct_url, *others)
        self._doorbell = SaysItIsArmed(direct_url)


LOSERS = [NoLookAfterArming, LooksWhileArming, WaitingIsAsleep]


pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_tick")]


@pytest.fixture
def consumer(dsn, redis_url, keys):
    """Pop and claim at once, so that the dispatcher often falls asleep; gives the ids that came."""
    arrived, stop = set(), threading.Event()

    def consume():
        with (
            redis.Redis.from_url(redis_url) as client,
            psycopg.connect(dsn, autocommit=True, row_factory=psycopg.rows.namedtuple_row) as db,
        ):
            while not stop.is_set():
                if popped := client.bzmpop(0.05, 1, [keys.lanes[2]], min=True, count=100):
                    ids = {UUID(bytes=id) for id, _ in popped[1]}
                    arrived.update(ids)
                    claim(db, sorted(ids))

    thread = threading.Thread(target=consume)
    thread.start()
    yield arrived
    stop.set()
    thread.join()


def burst(db, dice):
    """Insert three rows within some milliseconds, each in its own way; gives the committed ids."""
    committed = []
    for _ in range(3):
        time.sleep(dice.expovariate(1 / 0.003))  # the race itself, not a wait for it
        if dice.random() < 0.6:
            committed.append(insert(db).id)
            continue
        db.isolation_level = dice.choice([None, IsolationLevel.REPEATABLE_READ])
        with db.transaction(force_rollback=dice.random() < 0.2) as transaction:
            id = insert(db).id
            time.sleep(dice.uniform(0, 0.012))
        if not transaction.force_rollback:
            committed.append(id)
    db.isolation_level = None
    return committed


def race(dsn, driven, arrived, seed, *, bells, lost_after_s):
    """Run bursts of some producers, each until nothing moves; returns (rows committed, rows lost).

    It ends after so many bells, or with the first burst of which something is lost.
    """
    dice = [random.Random(seed * 100 + n) for n in range(PRODUCERS)]
    rows = lost = 0
    with ExitStack() as stack:
        sessions = [
            stack.enter_context(
                psycopg.connect(dsn, autocommit=True, row_factory=psycopg.rows.namedtuple_row)
            )
            for _ in range(PRODUCERS)
        ]
        pool = stack.enter_context(ThreadPoolExecutor(PRODUCERS))
        while not lost and driven.metric("dispatcher_bells_total") < bells:
            some = dice[0].randint(1, PRODUCERS)
            committed = {id for ids in pool.map(burst, sessions[:some], dice) for id in ids}
            rows += len(committed)
            try:
                wait_for(lambda ids=committed: ids <= arrived, lost_after_s)
            except TimeoutError:
                lost += len(committed - arrived)
                sessions[0].execute("select pg_notify('notify_wake', '')")
                wait_for(lambda ids=committed: ids <= arrived)
    return rows, lost


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_wake_up_is_lost_whatever_producers_do(dsn, driven, consumer, seed):
    with driven.dispatching():
        rows, lost = race(dsn, driven, consumer, seed, bells=BELLS, lost_after_s=LOST_AFTER_S)
    assert lost == 0
    assert rows >= BELLS
    assert driven.lost == 0


@pytest.mark.parametrize("protocol", LOSERS)
def test_the_race_catches_a_protocol_that_loses_wake_ups(dsn, drive, consumer, protocol):
    loser = drive(kind=protocol)
    with loser.dispatching():
        _, lost = race(
            dsn, loser, consumer, 1, bells=BELLS_UNTIL_CAUGHT, lost_after_s=CAUGHT_AFTER_S
        )
    assert lost > 0
