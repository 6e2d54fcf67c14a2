"""Requests share INSERTs, and a wrong row spoils only itself."""

import asyncio
import json
from typing import Any

import aiohttp

from tests.integration.api.serving import HOOK, LINE, Api

GROWS = b'{"channel":"log","recipient":"me","payload":[' + b"1," * 99_999 + b"1]}"


async def post_all(port: int, bodies: list[bytes]) -> list[tuple[int, Any]]:
    """Post everything at once, on connections that are open already."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", connector=connector) as session:
        await asyncio.gather(*[open_one(session) for _ in bodies])
        return await asyncio.gather(*[post_one(session, body) for body in bodies])


async def open_one(session: aiohttp.ClientSession) -> None:
    async with session.get("/healthz") as response:
        await response.read()


async def post_one(session: aiohttp.ClientSession, body: bytes) -> tuple[int, Any]:
    headers = {"Content-Type": "application/json"}
    async with session.post("/notify", data=body, headers=headers) as response:
        return response.status, json.loads(await response.read())


def test_a_hundred_requests_at_once_share_a_few_inserts(api: Api, db) -> None:
    bodies = [json.dumps(LINE | {"reference": str(n)}).encode() for n in range(100)]
    answers = asyncio.run(post_all(api.port, bodies))
    assert [status for status, _ in answers] == [202] * 100
    stored = dict(db.execute("select id::text, reference from notify.notifications").fetchall())
    assert [stored[answer["id"]] for _, answer in answers] == [str(n) for n in range(100)]
    assert api.metric("api_enqueue_batch_rows_sum") == 100
    assert api.metric("api_enqueue_batch_rows_count") <= 25
    rows = db.execute("select xmin::text as transaction from notify.notifications").fetchall()
    assert len({row.transaction for row in rows}) == api.metric("api_enqueue_batch_rows_count")


def test_only_the_guilty_of_a_batch_are_refused(api: Api, db) -> None:
    bodies = [GROWS if n in (3, 17, 18) else json.dumps(HOOK).encode() for n in range(40)]
    answers = asyncio.run(post_all(api.port, bodies))
    refused = [n for n, (status, _) in enumerate(answers) if status == 422]
    assert refused == [3, 17, 18]
    assert {answers[n][1]["code"] for n in refused} == {"payload_too_large"}
    assert {status for status, _ in answers} == {202, 422}
    assert db.execute("select count(*) as n from notify.notifications").fetchone().n == 37


def test_a_client_that_leaves_takes_nobody_along(api: Api, db) -> None:
    async def leave_early() -> list[tuple[int, Any]]:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{api.port}") as session:
            body = json.dumps(LINE).encode()
            leaving = [asyncio.create_task(post_one(session, body)) for _ in range(20)]
            staying = [asyncio.create_task(post_one(session, body)) for _ in range(20)]
            await asyncio.wait(leaving, return_when=asyncio.FIRST_COMPLETED)
            for task in leaving:
                task.cancel()
            return await asyncio.gather(*staying)

    assert {status for status, _ in asyncio.run(leave_early())} == {202}
    assert db.execute("select count(*) as n from notify.notifications").fetchone().n >= 21


def test_what_somebodys_own_trigger_refuses_is_refused_alone(api: Api, db) -> None:
    db.execute(
        "create function closed() returns trigger language plpgsql as"
        " $$ begin raise exception 'orders are closed'; end $$"
    )
    db.execute(
        "create trigger closed before insert on notify.notifications"
        " for each row when (new.reference = 'order') execute function closed()"
    )
    bodies = [json.dumps(LINE | {"reference": r}).encode() for r in ("order", "other")]
    answers = asyncio.run(post_all(api.port, bodies * 5))
    assert [status for status, _ in answers] == [422, 202] * 5
    refused = api.post(LINE | {"reference": "order"})
    assert refused.json["errors"][0]["code"] == "refused_by_database"
    assert "orders are closed" in refused.json["errors"][0]["detail"]
