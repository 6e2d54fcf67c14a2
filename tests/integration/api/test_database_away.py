"""When the database is away, clients hear so in time, and all is well once it is back."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from psycopg import Connection
from psycopg_pool.base import AttemptWithBackoff

from tests.integration.api.link import Link
from tests.integration.api.serving import LINE, Api, serving
from tests.integration.api.test_batching import post_all
from tests.waiting import wait_for

SESSIONS = "select count(*) as n from pg_stat_activity where application_name = 'notify-api'"
DATABASE = "select current_database() as name"


@pytest.fixture
def linked(dsn: str) -> Iterator[tuple[Api, Link]]:
    """An edge that reaches its database through a link."""
    url = urlsplit(dsn)
    with Link(dsn) as link:
        who = url.netloc.rpartition("@")[0]
        through = url._replace(netloc=f"{who}@127.0.0.1:{link.port}", query="").geturl()
        with serving(through) as api:
            yield api, link


@pytest.mark.slow  # seconds pass
def test_a_cut_database_is_a_503_in_time_and_comes_back(linked: tuple[Api, Link]) -> None:
    api, link = linked
    assert api.post(LINE).status == 202
    link.cut()
    answer = api.post(LINE)
    assert (answer.status, answer.json["code"]) == (503, "database_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert api.metric("api_jobs_enqueue_failed_total", reason="unavailable") == 1
    assert api.get("/notifications").status == 503
    assert api.get("/notifications/01a202f8-7610-7e1c-908b-be00881bc450").status == 503
    ready = api.get("/readyz")
    assert ready.status == 503
    assert ready.json["missing"]
    assert api.get("/healthz").status == 200
    link.restore()
    wait_for(
        lambda: api.post(LINE).status == 202,
    )
    wait_for(lambda: api.get("/readyz").status == 200)  # a look counts for a second


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Collect the seconds that a pool waits before it tries to connect again."""
    noted: list[float] = []
    update_delay = AttemptWithBackoff.update_delay

    def noting(attempt: AttemptWithBackoff, now: float) -> None:
        update_delay(attempt, now)
        noted.append(attempt.delay)

    monkeypatch.setattr(AttemptWithBackoff, "update_delay", noting)
    return noted


def test_a_database_that_was_away_for_long_is_found_soon(
    linked: tuple[Api, Link], waits: list[float]
) -> None:
    api, link = linked
    assert api.post(LINE).status == 202
    link.cut()
    while len(waits) < 4:  # doubled, they would be 1, 2, 4 and 8 s
        assert api.post(LINE).status == 503
    link.restore()
    wait_for(lambda: api.post(LINE).status == 202)
    assert max(waits) <= 2


def test_a_silent_database_is_a_503_in_time_for_everybody(linked: tuple[Api, Link]) -> None:
    api, link = linked
    assert api.post(LINE).status == 202
    link.freeze()
    answers = asyncio.run(post_all(api.port, [json.dumps(LINE).encode()] * 30))
    assert {status for status, _ in answers} == {503}
    link.thaw()
    wait_for(
        lambda: api.post(LINE).status == 202,
    )


@pytest.fixture
def rare_readings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the keys be read only where a request needs them."""
    monkeypatch.setattr("service.access.ring.LOOK_S", 600.0)


@pytest.mark.slow  # seconds pass
@pytest.mark.usefixtures("rare_readings")
def test_connections_that_died_in_silence_cost_the_time_of_one(
    linked: tuple[Api, Link], db: Connection[Any]
) -> None:
    api, link = linked
    while db.execute(SESSIONS).fetchone().n < 3:
        asyncio.run(get_all(api.port, 50))
    dead = link.half_open()
    assert dead >= 3
    statuses = [api.post(LINE).status]
    while statuses[-1] == 503 and len(statuses) <= dead:
        statuses.append(api.post(LINE).status)
    assert statuses[-1] == 202
    assert 1 <= statuses.count(503) < dead  # one finds out, for all of them


def test_a_primary_that_became_read_only_is_left_for_the_one_that_a_new_session_finds(
    dsn: str, db: Connection[Any]
) -> None:
    name = db.execute(DATABASE).fetchone().name
    db.execute(f'alter database "{name}" set default_transaction_read_only = on')
    with serving(dsn) as api:
        assert api.post(LINE).status == 503
        db.execute(f'alter database "{name}" reset default_transaction_read_only')
        wait_for(lambda: api.post(LINE).status == 202)


async def get_all(port: int, count: int) -> None:
    """Ask so often at once that the pool grows."""
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{port}/notifications?limit=200"

        async def get() -> None:
            async with session.get(url) as answer:
                await answer.read()

        await asyncio.gather(*(get() for _ in range(count)))
