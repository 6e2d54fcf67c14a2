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

from service.api import batcher, inserter
from service.api.aside import Aside
from service.api.batcher import Batcher
from service.api.body import NewNotification
from service.errors import DatabaseAway, KeyInFlight, NotifyError, NotTried, Refused
from service.http.problems import Problem
from service.logs import logs
from service.metrics import ApiMetrics
from service.model.notification import Accepted
from service.model.words import Channel

NOW = datetime(2030, 1, 1, tzinfo=UTC)
NOTIFICATION = NewNotification(
    channel=Channel.LOG, recipient="somebody", payload=msgspec.Raw(b"1"), reference="order 1"
)


class Ledger:
    """Takes rows when it is let go; a row's own word says what becomes of it."""

    def __init__(self) -> None:
        self.inserts: list[list[str]] = []
        self.go = asyncio.Event()
        self.go.set()
        self.came = asyncio.Event()

    async def enqueue(
        self, rows: bytes, *, is_in_haste: bool = False
    ) -> dict[int, Accepted | NotifyError]:
        given = json.loads(rows)
        self.inserts.append(given)
        self.came.set()
        await self.go.wait()
        if "poison" in given:
            raise Refused("no jsonb")
        if "away" in given:
            raise DatabaseAway("gone")
        if "bug" in given:
            raise KeyError("bug")
        if "stop" in given:
            raise asyncio.CancelledError
        found = {place: became(row) for place, row in enumerate(given, 1) if row != "dropped"}
        return dict(reversed(found.items()))


def became(row: str) -> Accepted | NotifyError:
    refusals = {"bad": Refused("no", column="payload"), "late": NotTried("no time"),
                "full": DatabaseAway("disk full")}  # fmt: skip
    return refusals.get(row) or Accepted(UUID(int=int(row)), NOW)


def run(test: Callable[[Ledger, Batcher], Awaitable[Any]]) -> Any:
    """Run a test's coroutine with a fresh batcher."""

    async def body() -> Any:
        ledger = Ledger()
        metrics = ApiMetrics(CollectorRegistry())
        return await test(ledger, Batcher(ledger, metrics))  # type: ignore[arg-type]

    return asyncio.run(asyncio.wait_for(body(), 20))


def submit(batcher: Batcher, *rows: str) -> Awaitable[list[Any]]:
    """Submit rows at once; answers or exceptions, in their order."""
    answers = [batcher.submit(json.dumps(row).encode(), NOTIFICATION) for row in rows]
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


def test_a_row_without_an_answer_gets_its_own_problem() -> None:
    async def test(ledger: Ledger, batcher: Batcher) -> None:
        first, dropped, third, late, full = await submit(
            batcher, "1", "dropped", "3", "late", "full"
        )
        assert (first.id.int, third.id.int) == (1, 3)
        assert [problem.code for problem in (dropped, late, full)] == [
            "dropped_by_database", "overloaded", "database_unavailable"]  # fmt: skip
        assert len(ledger.inserts) == 1

    run(test)


def test_a_batch_that_is_refused_as_a_whole_is_inserted_one_by_one() -> None:
    async def test(ledger: Ledger, batcher: Batcher) -> None:
        answers = await submit(batcher, "1", "poison", "3", "dropped")
        assert [type(answer) for answer in answers] == [Accepted, Refused, Accepted, Problem]
        assert len(ledger.inserts) == 5

    run(test)


def test_one_by_one_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inserter, "EACH_WITHIN_S", -1.0)

    async def test(ledger: Ledger, batcher: Batcher) -> None:
        answers = await submit(batcher, "1", "poison")
        assert [problem.code for problem in answers] == ["overloaded"] * 2
        assert ledger.inserts == [["1", "poison"]]

    run(test)


def test_a_database_that_goes_away_in_between_fails_only_the_rest() -> None:
    async def test(ledger: Ledger, batcher: Batcher) -> None:
        good, bad, away, last = await submit(batcher, "1", "poison", "away", "4")
        assert [type(answer) for answer in (good, bad, last)] == [Accepted, Refused, Accepted]
        assert away.code == "database_unavailable"

    run(test)


def test_an_insert_that_is_cancelled_is_an_answer_and_not_a_hang() -> None:
    async def test(ledger: Ledger, batcher: Batcher) -> None:
        answers = await submit(batcher, "1", "stop")
        assert [problem.code for problem in answers] == ["internal_error"] * 2
        [after] = await submit(batcher, "2")
        assert isinstance(after, Accepted)

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


def test_a_row_whose_time_is_up_before_its_insert_is_not_inserted() -> None:
    async def test(ledger: Ledger, waiting: Batcher) -> None:
        ledger.go.clear()
        first = waiting.submit(b'"1"', NOTIFICATION)
        await ledger.came.wait()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(batcher, "DEADLINE_S", -1.0)
            late = waiting.submit(b'"2"', NOTIFICATION)
        young = waiting.submit(b'"3"', NOTIFICATION)
        ledger.go.set()
        answers = await asyncio.gather(first, late, young, return_exceptions=True)
        assert [type(answer) for answer in answers] == [Accepted, Problem, Accepted]
        assert answers[1].code == "overloaded"
        assert ledger.inserts == [["1"], ["3"]]

    run(test)


def test_each_row_of_a_slow_insert_waits_for_its_own_time(
    monkeypatch: pytest.MonkeyPatch, transitions: list[tuple[str, dict[str, object]]]
) -> None:
    async def test(ledger: Ledger, slow: Batcher) -> None:
        ledger.go.clear()
        monkeypatch.setattr(batcher, "DEADLINE_S", 0.05)
        old = slow.submit(b'"1"', NOTIFICATION)
        monkeypatch.setattr(batcher, "DEADLINE_S", 20.0)
        young = slow.submit(b'"2"', NOTIFICATION)
        with pytest.raises(Problem) as caught:
            await old
        assert caught.value.code == "database_unavailable"
        assert not young.done()
        ledger.go.set()
        assert (await young).id.int == 2
        await slow.close()
        assert ledger.inserts == [["1", "2"]]

    run(test)
    assert len(transitions) == 2  # both are in the ledger, whoever heard so


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
                waiting.append(batcher.submit(b"1", NOTIFICATION))  # noqa: PERF401
        assert caught.value.code == "overloaded"
        assert caught.value.headers["Retry-After"] == "1"
        assert len(waiting) == 9
        ledger.go.set()
        assert len(await asyncio.gather(*waiting)) == 9
        assert isinstance(await batcher.submit(b"1", NOTIFICATION), Accepted)

    run(test)


def test_a_client_that_left_keeps_nobody_else_waiting() -> None:
    async def test(ledger: Ledger, batcher: Batcher) -> None:
        gone, stays = batcher.submit(b"1", NOTIFICATION), batcher.submit(b"2", NOTIFICATION)
        gone.cancel()
        assert (await stays).id.int == 2

    run(test)


def test_close_waits_for_what_was_submitted() -> None:
    async def test(ledger: Ledger, batcher: Batcher) -> None:
        answers = [batcher.submit(b"1", NOTIFICATION) for _ in range(1200)]
        await batcher.close()
        assert all(answer.done() for answer in answers)

    run(test)


class Holding(Ledger):
    """Somebody's open transaction holds the keys of "held" rows."""

    async def enqueue(
        self, rows: bytes, *, is_in_haste: bool = False
    ) -> dict[int, Accepted | NotifyError]:
        given = json.loads(rows)
        self.inserts.append(given)
        if "held" in given and is_in_haste:
            raise KeyInFlight("held")
        found = {"held": KeyInFlight("held")}
        return {n: found.get(row) or became(row) for n, row in enumerate(given, 1)}


def test_rows_that_wait_for_a_key_go_aside_and_no_others() -> None:
    async def test() -> None:
        ledger, metrics = Holding(), ApiMetrics(CollectorRegistry())
        aside = Aside(Batcher(ledger, metrics))  # type: ignore[arg-type]
        road = Batcher(ledger, metrics, aside=aside)  # type: ignore[arg-type]
        keyed = msgspec.structs.replace(NOTIFICATION, idempotency_key="k")

        def submit(row: str, notification: NewNotification, producer: str) -> Awaitable[Any]:
            return road.submit(json.dumps(row).encode(), notification, producer)

        first = [
            submit("held", keyed, "shop"), submit("1", NOTIFICATION, "shop"),
            submit("2", keyed, "shop"), submit("3", keyed, "bank"),
        ]  # fmt: skip
        answers = await asyncio.gather(*first, return_exceptions=True)
        assert [a.id.int for a in answers[1:]] == [1, 2, 3]
        assert answers[0].code == "idempotency_key_in_flight"
        assert ledger.inserts == [
            ["held", "1", "2", "3"], ["1"], ["held", "2"], ["3"], ["held", "2"]
        ]  # fmt: skip
        await asyncio.gather(
            submit("4", keyed, "shop"),
            submit("5", NOTIFICATION, "shop"),
            submit("6", keyed, "bank"),
        )
        assert sorted(ledger.inserts[5:]) == [["4"], ["5", "6"]]
        await road.close()
        await aside.close()

    asyncio.run(asyncio.wait_for(test(), 20))
