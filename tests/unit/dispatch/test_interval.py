"""The interval loop: when it runs, and what it says of a job that fails."""

import asyncio
import selectors
from contextlib import suppress
from types import SimpleNamespace

import pytest

import service.dispatch.interval
from service.dispatch.interval import every
from service.errors import DatabaseAway
from service.logs.outage import Outage


def names(events):
    return [record["message"] for record in events]


class Jump(selectors.DefaultSelector):
    """Takes no time to wait, and says how long it would have been."""

    waited_s = 0.0

    def select(self, timeout=None):
        self.waited_s += timeout or 0.0
        return super().select(0)


class ClockOfWaits(asyncio.SelectorEventLoop):
    """Time passes only where everybody waits."""

    def __init__(self):
        self.jump = Jump()
        super().__init__(self.jump)

    def time(self):
        return self.jump.waited_s


@pytest.fixture
def run(monkeypatch):
    """Run a coroutine by that clock; so does the loop under test."""
    with asyncio.Runner(loop_factory=ClockOfWaits) as runner:
        clock = SimpleNamespace(monotonic=runner.get_loop().time)
        monkeypatch.setattr(service.dispatch.interval, "time", clock)
        yield runner.run


@pytest.fixture
def run_for_three_turns(run):
    """Run a job under every() until its third turn; gives the times of the turns."""
    return lambda *args: run(three_turns(*args))


async def three_turns(interval_s, job, succeeded=lambda: None):
    turns = []
    third = asyncio.Event()

    async def turn():
        turns.append(asyncio.get_running_loop().time())
        if len(turns) == 3:
            third.set()
        return await job(len(turns))

    loop = asyncio.create_task(every(interval_s, Outage("job"), turn, succeeded))
    await third.wait()
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)
    return turns


async def nothing(_turn):
    pass


def test_only_a_run_without_an_error_is_a_success(run_for_three_turns):
    noted = []

    async def fail_first(turn):
        if turn == 1:
            raise DatabaseAway("gone")

    run_for_three_turns(0.01, fail_first, lambda: noted.append(1))
    assert 1 <= len(noted) <= 2


def test_a_server_that_was_away_is_tried_again_long_before_the_interval(run_for_three_turns):
    async def fail(_turn):
        raise DatabaseAway("gone")

    first, second, _ = run_for_three_turns(3600, fail)
    assert second - first == pytest.approx(service.dispatch.interval.RETRY_S)


def test_a_job_runs_at_once_and_then_on_its_interval(run_for_three_turns):
    assert run_for_three_turns(60, nothing) == pytest.approx([0, 60, 120])


def test_a_slow_job_does_not_add_to_its_interval(run_for_three_turns):
    async def slow(_turn):
        await asyncio.sleep(45)

    assert run_for_three_turns(60, slow) == pytest.approx([0, 60, 120])


def test_a_job_may_ask_to_run_again_sooner_but_not_later(run_for_three_turns):
    async def sooner(turn):
        return 5 if turn == 1 else 3600

    assert run_for_three_turns(60, sooner) == pytest.approx([0, 5, 65])


def test_a_failure_waits_for_its_turn_and_an_outage_is_told_once_with_its_end(
    run_for_three_turns, events
):
    async def away_twice(turn):
        if turn < 3:
            raise DatabaseAway("refused")

    assert run_for_three_turns(2, away_twice) == pytest.approx([0, 2, 4])
    assert names(events) == ["away", "back"]
    assert (events[0]["extra"]["what"], events[0]["extra"]["reason"]) == ("job", "refused")


def test_a_bug_in_a_job_does_not_end_its_loop_and_is_logged_with_its_traceback(
    run_for_three_turns, events
):
    async def bug(turn):
        if turn == 1:
            raise ZeroDivisionError

    run_for_three_turns(0.01, bug)
    failed = [record for record in events if record["message"] == "job_failed"]
    assert [record["exception"].type for record in failed] == [ZeroDivisionError]


def test_a_cancellation_that_a_library_swallowed_still_ends_the_loop(run):
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

    run(main())
