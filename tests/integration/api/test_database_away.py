"""When the database is away, clients hear so in time, and all is well once it is back."""

import asyncio
import json
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.integration.api.link import Link
from tests.integration.api.serving import LINE, Api, serving
from tests.integration.api.test_batching import post_all
from tests.waiting import wait_for


@pytest.fixture
def linked(dsn: str) -> Iterator[tuple[Api, Link]]:
    """An edge that reaches its database through a link."""
    url = urlsplit(dsn)
    with Link(dsn) as link:
        who = url.netloc.rpartition("@")[0]
        through = url._replace(netloc=f"{who}@127.0.0.1:{link.port}", query="").geturl()
        with serving(through) as api:
            yield api, link


def test_a_cut_database_is_a_503_in_time_and_comes_back(linked: tuple[Api, Link]) -> None:
    api, link = linked
    assert api.post(LINE).status == 202
    link.cut()
    began = time.monotonic()
    answer = api.post(LINE)
    assert time.monotonic() - began < 5
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
    wait_for(lambda: api.post(LINE).status == 202, limit_s=30)
    assert api.get("/readyz").status == 200


def test_a_silent_database_is_a_503_in_time_for_everybody(linked: tuple[Api, Link]) -> None:
    api, link = linked
    assert api.post(LINE).status == 202
    link.freeze()
    began = time.monotonic()
    answers = asyncio.run(post_all(api.port, [json.dumps(LINE).encode()] * 30))
    assert time.monotonic() - began < 5.5
    assert {status for status, _ in answers} == {503}
    link.thaw()
    wait_for(lambda: api.post(LINE).status == 202, limit_s=30)
