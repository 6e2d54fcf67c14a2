"""When INSERTs start, what they hold, and who hears what."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from service import logs
from service.api import batcher
from service.api.batcher import Batcher
from service.api.body import NewNotification
from service.api.problems import Problem
from service.errors import DatabaseAway, Refused
from service.metrics import ApiMetrics
from service.model import Accepted, Channel

NOW = datetime(2030, 1, 1, tzinfo=UTC)
TOLD = NewNotification(
    channel=Channel.LOG, recipient="somebody", payload=msgspec.Raw(b"1"), reference="order 1"
)


class Ledger:
    """Takes rows when it is let go; a row "bad" is refused, "away" finds no database."""

    def __init__(self) -> None:
        self.inserts: list[list[str]] = []
        self.go = asyncio.Event()
        self.go.set()
        self.came = asyncio.Event()

    async def enqueue(self, rows: bytes) -> list[Accepted]:
        given = json.loads(rows)
        self.inserts.append(given)
        self.came.set()
        await self.go.wait()
        if "bad" in given:
            raise Refused("no", column="payload")
        if "away" in given:
            raise DatabaseAway("gone")
        if "bug" in given:
            raise KeyError("bug")
        return [Accepted(UUID(int=int(row)), NOW) for row in given]


def run(test: Callable[[Ledger, Batcher], Awaitable[Any]]) -> Any:
    """Run a test's coroutine with a fresh batcher."""

    async def body() -> Any:
        ledger = Ledger()
        metrics = ApiMetrics(CollectorRegistry())
        return await test(ledger, Batcher(ledger, metrics))  # type: ignore[arg-type]

    return asyncio.run(asyncio.wait_for(body(), 20))


def submit(batcher: Batcher, *rows: str) -> Awaitable[list[Any]]:
    """Submit rows at once; answers or exceptions, in their order."""
    answers = [batcher.submit(json.dumps(row).encode(), TOLD) for row in rows]
    return asyncio.gather(*answers, return_exceptions=True)


def test_requests_of_one_moment_share_an_insert() -> None:
    async def test(ledger: Ledger, batcher: Batcher) -> None:
        answers = await submit(batcher, "1", "2", "3")
        assert [answer.id.int for answer in answers] == [1, 2, 3]
        assert ledger.inserts == [["1", "2", "3"]]

    run(test)


def test_what_arrives_during_an_insert_shares_the_next() -> None:
    async def test(ledger: Ledger, batcher: Batcher) -> None:
        ledger.go.clear()
        first = asyncio.ensure_future(submit(batcher, "1"))
        await ledger.came.wait()
        rest = asyncio.ensure_future(submit(batcher, "2", "3"))
        await asyncio.sleep(0)
        assert ledger.inserts == [["1"]]
        ledger.go.set()
        await asyncio.gather(first, rest)
        assert ledger.inserts == [["1"], ["2", "3"]]

    run(test)


def test_a_flush_that_finds_nothing_frees_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batcher, "IN_FLIGHT_MAX", 3)

    async def test(ledger: Ledger, batcher: Batcher) -> None:
        for n in range(10):
            answers = await submit(batcher, str(n), str(n), str(n))
            assert len(answers) == 3
        await batcher.close()

    run(test)


@pytest.mark.parametrize(
    ("rows", "sizes"), [(500, [500]), (501, [500, 1]), (1200, [500, 500, 200])]
)
def test_an_insert_is_bounded_by_rows(rows: int, sizes: list[int]) -> None:
    async def test(ledger: Ledger, batcher: Batcher) -> None:
        await submit(batcher, *map(str, range(rows)))
        assert [len(insert) for insert in ledger.inserts] == sizes

    run(test)


def test_an_insert_is_bounded_by_bytes() -> None:
    async def count(ledger: Ledger, batcher: Batcher) -> list[int]:
        await submit(batcher, *["1" + " " * 1_000_000] * 6)
        return [len(insert) for insert in ledger.inserts]

    assert run(count) == [5, 1]


def test_only_wrong_rows_are_refused() -> None:
    async def test(ledger: Ledger, batcher: Batcher) -> None:
        answers = await submit(batcher, "1", "bad", "3", "4", "bad", "6")
        assert [type(answer) for answer in answers] == [
            Accepted, Refused, Accepted, Accepted, Refused, Accepted]  # fmt: skip

    run(test)


def test_one_wrong_row_among_many_costs_few_inserts() -> None:
    async def test(ledger: Ledger, batcher: Batcher) -> None:
        await submit(batcher, *["1"] * 250, "bad", *["1"] * 249)
        assert len(ledger.inserts) <= 2 * 9 + 1

    run(test)


def test_a_database_that_goes_away_between_halves_fails_only_the_rest() -> None:
    async def test(ledger: Ledger, batcher: Batcher) -> None:
        good, bad, *away = await submit(batcher, "1", "bad", "away", "4")
        assert isinstance(good, Accepted)
        assert isinstance(bad, Refused)
        assert [problem.code for problem in away] == ["database_unavailable"] * 2

    run(test)


def test_a_defect_of_ours_is_an_answer_and_not_a_hang(
    capsys: pytest.CaptureFixture[str], logs_restored: None
) -> None:
    logs.set_up("api", style="json")

    async def test(ledger: Ledger, batcher: Batcher) -> None:
        answers = await submit(batcher, "1", "bug")
        assert [problem.code for problem in answers] == ["internal_error"] * 2
        [after] = await submit(batcher, "2")
        assert isinstance(after, Accepted)

    run(test)
    told = json.loads(capsys.readouterr().err.splitlines()[0])
    assert (told["event"], told["error_type"], told["rows"]) == ("enqueue_failed", "KeyError", 2)


def test_nobody_waits_beyond_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batcher, "DEADLINE_S", 0.5)

    async def test(ledger: Ledger, batcher: Batcher) -> None:
        ledger.go.clear()
        answers = await submit(batcher, "1", "2")
        assert [problem.code for problem in answers] == ["database_unavailable"] * 2
        ledger.go.set()
        [after] = await submit(batcher, "3")
        assert isinstance(after, Accepted)

    run(test)


@pytest.mark.parametrize("limit", ["WAITING_ROWS_MAX", "WAITING_BYTES_MAX"])
def test_beyond_the_limit_the_answer_is_immediate(
    limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batcher, limit, 9)

    async def test(ledger: Ledger, batcher: Batcher) -> None:
        ledger.go.clear()
        waiting = []
        with pytest.raises(Problem) as caught:
            for _ in range(20):
                waiting.append(batcher.submit(b"1", TOLD))  # noqa: PERF401
        assert caught.value.code == "overloaded"
        assert caught.value.headers["Retry-After"] == "1"
        assert len(waiting) == 9
        ledger.go.set()
        assert len(await asyncio.gather(*waiting)) == 9
        assert isinstance(await batcher.submit(b"1", TOLD), Accepted)

    run(test)


def test_a_client_that_left_keeps_nobody_else_waiting() -> None:
    async def test(ledger: Ledger, batcher: Batcher) -> None:
        gone, stays = batcher.submit(b"1", TOLD), batcher.submit(b"2", TOLD)
        gone.cancel()
        assert (await stays).id.int == 2

    run(test)


def test_close_waits_for_what_was_submitted() -> None:
    async def test(ledger: Ledger, batcher: Batcher) -> None:
        answers = [batcher.submit(b"1", TOLD) for _ in range(1200)]
        await batcher.close()
        assert all(answer.done() for answer in answers)

    run(test)
