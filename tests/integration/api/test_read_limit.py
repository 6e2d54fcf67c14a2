"""Reads take turns, and POST /notify waits for none of them."""

import asyncio
import json
import socket
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any

import aiohttp
import pytest

from service.api.app import CANCELS_AT_ONCE, LISTS_AT_ONCE, OPERATORS_AT_ONCE, READS_AT_ONCE
from service.api.read_limit import ReadLimit
from service.http.problems import Problem
from service.ledger.connection import STATEMENT_TIMEOUT_S
from service.ledger.verb_store import VerbStore
from tests import ledger
from tests.integration.api.serving import LINE, Api, serving
from tests.integration.api.test_batch_keys import a_key
from tests.integration.api.test_batching import post_all
from tests.keys import bearer, make
from tests.waiting import wait_for

BODY = json.dumps(LINE).encode()
JSON = {"Content-Type": "application/json"}
RARE = ["/notifications?channel=email", "/notifications?status=sent&channel=email"]


@asynccontextmanager
async def every_reading_connection(api: Api):
    """Hold all connections that reads may have."""
    async with AsyncExitStack() as held:
        for _ in range(READS_AT_ONCE):
            await held.enter_async_context(api.reads.pool.connection())
        yield


async def get_all(port: int, paths: list[str]) -> list[tuple[int, str | None]]:
    """Ask for everything at once."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", connector=connector) as session:

        async def get(path: str) -> tuple[int, str | None]:
            async with session.get(path) as response:
                return response.status, (await response.json()).get("code")

        return await asyncio.gather(*[get(path) for path in paths])


async def reads_and_posts(api: Api) -> tuple[list[tuple[int, str | None]], list[int]]:
    """Ask for 300 pages, and post 50 while they wait."""
    reading = asyncio.create_task(get_all(api.port, RARE * 150))
    posted = await post_all(api.port, [BODY] * 50)
    return await reading, [status for status, _ in posted]


@pytest.mark.needs("descriptors")  # hundreds of clients and the API in one process
def test_reads_that_hang_keep_no_post_waiting(api: Api) -> None:
    holding = every_reading_connection(api)
    api.run(holding.__aenter__())
    try:
        reads, posts = asyncio.run(reads_and_posts(api))
    finally:
        api.run(holding.__aexit__(None, None, None))
    assert posts == [202] * 50
    assert {status for status, _ in reads} == {503}
    assert Counter(reads)[503, "overloaded"] > 200
    assert api.get(RARE[0]).status == 200


@pytest.mark.needs("descriptors")  # hundreds of clients and the API in one process
def test_many_rare_filters_at_once_are_answered_or_told_to_come_back(api: Api) -> None:
    reads, posts = asyncio.run(reads_and_posts(api))
    assert posts == [202] * 50
    assert (200, None) in reads
    assert {status for status, _ in reads} <= {200, 503}


def test_a_read_that_takes_too_long_is_told_so(api: Api, db) -> None:
    assert STATEMENT_TIMEOUT_S < 4
    with db.transaction():
        db.execute("lock table notify.notifications in access exclusive mode")
        answer = api.get("/notifications")
    assert (answer.status, answer.json["code"]) == (503, "overloaded")
    assert answer.headers["Retry-After"]


def test_no_more_than_a_bounded_number_waits() -> None:
    async def fill() -> list[str]:
        limit = ReadLimit(1, 5)
        refused: list[str] = []

        async def wait() -> None:
            try:
                async with limit.admitted():
                    pass
            except Problem as problem:
                refused.append(problem.code)

        async with limit.admitted():
            waiting = [asyncio.create_task(wait()) for _ in range(5 + 7)]
            await asyncio.sleep(0)
        await asyncio.gather(*waiting)
        return refused

    assert asyncio.run(fill()) == ["overloaded"] * 7


def test_a_place_is_free_again_after_an_error() -> None:
    async def fail_and_go_on() -> None:
        limit = ReadLimit(1, 5)
        with pytest.raises(ValueError, match="x"):
            async with limit.admitted():
                raise ValueError("x")
        async with limit.admitted():
            pass

    asyncio.run(fail_and_go_on())


def running(limit: ReadLimit, asks: Iterable[str | None]) -> list[str | None]:
    """Let all ask while one runs; gives the producers in the order in which they ran."""

    async def run() -> list[str | None]:
        ran: list[str | None] = []

        async def ask(producer: str | None) -> None:
            with suppress(Problem):
                async with limit.admitted(producer):
                    ran.append(producer)

        async with limit.admitted():
            waiting = [asyncio.create_task(ask(producer)) for producer in asks]
            await asyncio.sleep(0)
        await asyncio.gather(*waiting)
        return ran

    return asyncio.run(run())


def test_producers_take_turns() -> None:
    assert running(ReadLimit(1, 20), ["a"] * 4 + ["b"] * 2 + ["c"]) == list("abcabaa")


def test_one_producer_has_at_most_a_share_of_the_places() -> None:
    assert running(ReadLimit(1, 20), ["a"] * 20 + ["b"]) == list("ab" + "a" * 9)
    assert running(ReadLimit(1, 20, share=4), ["a"] * 20 + ["b"]) == list("abaaaa")


def test_without_keys_all_places_are_anybodys() -> None:
    assert running(ReadLimit(1, 20), [None] * 25) == [None] * 20


@pytest.mark.parametrize("is_handed_on", [False, True])
def test_who_goes_while_it_waits_leaves_its_place_to_others(is_handed_on: bool) -> None:
    async def go() -> None:
        limit = ReadLimit(1, 4)

        async def ask() -> None:
            async with limit.admitted("a"):
                pytest.fail("it has gone")

        holding = AsyncExitStack()
        await holding.enter_async_context(limit.admitted())
        gone = asyncio.create_task(ask())
        await asyncio.sleep(0)
        if is_handed_on:
            await holding.aclose()
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        await holding.aclose()
        assert gone.cancelled()
        async with limit.admitted("a"):
            pass

    asyncio.run(go())


def test_who_has_waited_too_long_leaves_its_place_to_others() -> None:
    async def go() -> None:
        limit = ReadLimit(1, 4, wait_s=0.01)
        async with limit.admitted():
            for _ in range(3):
                with pytest.raises(Problem):
                    async with limit.admitted("a"):
                        pytest.fail("nobody has ended")
        async with limit.admitted("a"):
            pass

    asyncio.run(go())


OPERATORS = [
    ("POST", "/cancel", {"filter": {"producer": "p"}}, 200),
    ("POST", "/redrive", {"filter": {"producer": "p"}}, 200),
    ("POST", "/destinations/probe", {"channel": "email", "destination": "example.org"}, 404),
    ("GET", "/pauses", None, 200),
    ("GET", "/keys", None, 200),
]


def test_lists_that_hang_keep_no_operator_waiting(dsn: str, db, monkeypatch) -> None:
    key = {"Authorization": f"Bearer {a_key(db, scopes=['admin'])}"}
    with serving(dsn) as api, ThreadPoolExecutor() as pool:
        hanging = asyncio.Event()
        page = api.reads.page

        async def hang(*args: Any, **more: Any) -> Any:
            await hanging.wait()
            return await page(*args, **more)

        monkeypatch.setattr(api.reads, "page", hang)
        lists = [pool.submit(api.get, "/notifications", **key) for _ in range(LISTS_AT_ONCE)]
        wait_for(lambda: api.metric("api_requests_in_progress") == LISTS_AT_ONCE)
        answers = [
            api.ask(method, path, body and json.dumps(body), **JSON, **key)
            for method, path, body, _ in OPERATORS
        ]
        api._loop.call_soon_threadsafe(hanging.set)
        assert [answer.status for answer in answers] == [status for *_, status in OPERATORS]
        assert [one.result().status for one in lists] == [200] * LISTS_AT_ONCE


LOOPING = 12
AT_ONCE = {"cancel": CANCELS_AT_ONCE, "send_again": OPERATORS_AT_ONCE}


@pytest.mark.parametrize(("verb", "scope"), [("cancel", "send"), ("send_again", "operate")])
def test_a_verb_of_one_in_a_loop_keeps_nobody_else_waiting(
    dsn: str, db, monkeypatch, verb: str, scope: str
) -> None:
    looping, admin = (bearer(make(db, s, producer=s)) for s in (scope, "admin"))
    ids = [ledger.put(db, "sent", producer=scope) for _ in range(2)]
    with serving(dsn) as api, ThreadPoolExecutor(LOOPING) as pool:
        going, begun = asyncio.Event(), []
        asked_of_ledger = getattr(VerbStore, verb)

        async def hang(store: VerbStore, id: Any, use: Any) -> Any:
            if use.actor == scope:
                begun.append(id)
                await going.wait()
            return await asked_of_ledger(store, id, use)

        monkeypatch.setattr(VerbStore, verb, hang)
        path = f"/notifications/{ids[0]}/{verb.replace('_', '-')}"
        asked = [pool.submit(api.ask, "POST", path, **looping) for _ in range(LOOPING)]
        wait_for(lambda: len(begun) >= AT_ONCE[verb])
        # Who has waited too long has its answer already.
        arrived = partial(api.metric, "api_requests_in_progress")
        wait_for(lambda: arrived() + sum(one.done() for one in asked) >= LOOPING)
        new_key = json.dumps({"producer": "new"})
        assert api.ask("POST", "/keys", new_key, **JSON, **admin).status == 201
        if verb == "cancel":
            other = f"/notifications/{ids[1]}"
            assert api.ask("POST", f"{other}/cancel", **admin).json["code"] == "already_settled"
            assert api.ask("POST", f"{other}/send-again", **admin).status == 202
        assert len(begun) == AT_ONCE[verb]
        api._loop.call_soon_threadsafe(going.set)
        assert {one.result().status for one in asked} <= {202, 409, 503}


def test_only_the_last_attempts_are_shown(api: Api, db) -> None:
    id = api.post(LINE).json["id"]
    db.execute(
        "insert into notify.attempts select %s, n, now(), 1, 'temporary', '503', 'x', 'w:1'"
        " from generate_series(1, 250) n",
        [id],
    )
    found = api.get(f"/notifications/{id}").json
    assert [a["attempt"] for a in found["attempts"]] == list(range(151, 251))
    assert found["has_older_attempts"] is True


@pytest.mark.parametrize("path", ["/cancel", "/redrive", "/destinations/probe", "/pauses", "/keys"])
def test_who_sends_a_body_slowly_takes_no_turn(api: Api, db, path: str) -> None:
    key = bearer(make(db, "admin"))
    api.read_keys()
    lines = {"Host": "127.0.0.1"} | JSON | key
    head = f"POST {path} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in lines.items())
    with ExitStack() as held:
        for _ in range(READS_AT_ONCE):
            slow = held.enter_context(socket.create_connection(("127.0.0.1", api.port)))
            slow.sendall(f"{head}Content-Length: 99\r\n\r\n{{".encode())
        whole = api.ask("POST", path, b"{}", **JSON, **key)
        listed = api.get("/notifications", **key)
    assert (whole.status, listed.status) == (422, 200)
