"""The interval loop: when it runs, and what it says of a job that fails."""

import asyncio
import time
from contextlib import suppress

import pytest
from loguru import logger

import service.interval
from service.errors import DatabaseAway
from service.interval import every
from service.outage import Outage


@pytest.fixture
def events():
    seen = []
    sink = logger.add(lambda message: seen.append(message.record), level="INFO")
    yield seen
    logger.remove(sink)


def names(events):
    return [record["message"] for record in events]


def run_for_three_turns(interval_s, job, succeeded=lambda: None):
    """Run `job` under every() until its third turn; gives the times of the turns."""
    turns = []

    async def main():
        third = asyncio.Event()

        async def turn():
            turns.append(time.monotonic())
            if len(turns) == 3:
                third.set()
            return await job(len(turns))

        loop = asyncio.create_task(every(interval_s, Outage("job"), turn, succeeded))
        async with asyncio.timeout(10):
            await third.wait()
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)

    asyncio.run(main())
    return turns


async def nothing(_turn):
    pass


def test_only_a_run_without_an_error_is_a_success():
    noted = []

    async def fail_first(turn):
        if turn == 1:
            raise DatabaseAway("gone")

    run_for_three_turns(0.01, fail_first, lambda: noted.append(1))
    assert 1 <= len(noted) <= 2


def test_a_server_that_was_away_is_tried_again_long_before_the_interval(monkeypatch):
    monkeypatch.setattr(service.interval, "RETRY_S", 0.1)

    async def fail(_turn):
        raise DatabaseAway("gone")

    first, second, _ = run_for_three_turns(3600, fail)
    assert 0.095 <= second - first < 5


def test_a_job_runs_at_once_and_then_on_its_interval():
    began = time.monotonic()
    first, second, third = run_for_three_turns(0.1, nothing)
    assert first - began < 0.09
    assert second - first >= 0.095
    assert third - second >= 0.095


def test_a_slow_job_does_not_add_to_its_interval():
    async def slow(_turn):
        await asyncio.sleep(0.15)

    first, _, third = run_for_three_turns(0.2, slow)
    assert 0.38 < third - first < 0.6  # 0.7 if it did


def test_a_job_may_ask_to_run_again_sooner_but_not_later():
    async def sooner(turn):
        return 0.05 if turn == 1 else 60.0

    first, second, third = run_for_three_turns(0.2, sooner)
    assert 0.045 <= second - first < 0.19
    assert third - second >= 0.195


def test_a_failure_waits_for_its_turn_and_an_outage_is_told_once_with_its_end(events):
    async def away_twice(turn):
        if turn < 3:
            raise DatabaseAway("refused")

    first, second, _ = run_for_three_turns(0.05, away_twice)
    assert second - first >= 0.045
    assert names(events) == ["away", "back"]
    assert (events[0]["extra"]["what"], events[0]["extra"]["reason"]) == ("job", "refused")


def test_a_bug_in_a_job_does_not_end_its_loop_and_is_logged_with_its_traceback(events):
    async def bug(turn):
        if turn == 1:
            raise ZeroDivisionError

    run_for_three_turns(0.01, bug)
    failed = [record for record in events if record["message"] == "job_failed"]
    assert [record["exception"].type for record in failed] == [ZeroDivisionError]


def test_a_cancellation_that_a_library_swallowed_still_ends_the_loop():
    async def main():
        begun = asyncio.Event()

        async def swallow():
            begun.set()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(60)

        loop = asyncio.create_task(every(3600, Outage("job"), swallow))
        await begun.wait()
        loop.cancel()
        async with asyncio.timeout(5):
            await asyncio.wait([loop])

    asyncio.run(main())
