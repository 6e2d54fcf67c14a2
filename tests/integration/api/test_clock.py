"""An API on a machine whose clock is wrong judges times as the ledger does."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from prometheus_client import CollectorRegistry

from service.api import ledger_clock
from service.clock import Clock
from service.metrics import ApiMetrics, ProcessMetrics
from service.process.watched import watched
from tests.integration.api.serving import HOOK, serving
from tests.waiting import wait_for

MINUTE_S = 60.0
HOUR_S = 3600.0
DAY_S = 86400.0
AGO = (timedelta(minutes=-30), "expires_at", 422)
SOON = (timedelta(minutes=30), "expires_at", 202)
LAST = (timedelta(days=30, minutes=-10), "send_at", 202)
TOO_LATE = (timedelta(days=30, minutes=10), "send_at", 422)


@pytest.mark.parametrize("off_s", [-DAY_S, -HOUR_S, 0.0, HOUR_S, DAY_S])
def test_what_is_in_time_by_the_ledger_is_accepted_whatever_our_clock_says(dsn, db, off_s):
    clock = Clock(own=lambda: time.time() + off_s)
    registry = CollectorRegistry()
    metrics = ApiMetrics(registry)
    restarted = ProcessMetrics(CollectorRegistry()).restarted

    def skew():
        return registry.get_sample_value("api_clock_skew_seconds")

    with serving(dsn, clock=clock) as api:
        keeping = watched(
            "clock", partial(ledger_clock.kept, clock, api.store, metrics, None), restarted
        )
        task = api.run(begun(keeping))
        wait_for(lambda: abs(skew() - off_s) < MINUTE_S)
        for after, member, status in (AGO, SOON, LAST, TOO_LATE):
            answer = api.post(HOOK | {member: (datetime.now(UTC) + after).isoformat()})
            assert (answer.status, member, after) == (status, member, after), answer.body
        api.run(stopped(task))


def test_a_jump_of_our_clock_is_noticed_before_the_minute_is_over(dsn, monkeypatch):
    monkeypatch.setattr(ledger_clock, "LOOK_EVERY_S", DAY_S)
    off_s = [0.0]
    clock = Clock(own=lambda: time.time() + off_s[0])
    metrics = ApiMetrics(CollectorRegistry())
    with serving(dsn, clock=clock) as api:
        task = api.run(begun(ledger_clock.kept(clock, api.store, metrics, None)))
        wait_for(lambda: clock.skew_s() is not None)
        off_s[0] = HOUR_S
        wait_for(lambda: not clock.has_moved())
        api.run(stopped(task))


async def begun(work):
    return asyncio.create_task(work)


async def stopped(task):
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
