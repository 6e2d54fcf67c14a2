"""What stands around every handler."""

import asyncio

import msgspec
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from loguru import logger

from service.api.around import guarded
from service.errors import DatabaseAway
from service.http.problem_kinds import KINDS
from service.http.problems import RETRY_AFTER_S, Problem


def answer_to(error: Exception) -> web.Response:
    """Let a handler raise, and return what the client gets."""

    async def handler(request: web.Request) -> web.StreamResponse:
        raise error

    request = make_mocked_request("GET", "/notifications")

    async def call() -> web.StreamResponse:
        return await guarded(handler)(request)

    answer = asyncio.run(call())
    assert isinstance(answer, web.Response)
    return answer


def test_a_defect_is_a_500_that_is_logged_once_and_says_nothing_else() -> None:
    lines: list[str] = []
    sink = logger.add(lines.append, format="{message}")
    answer = answer_to(KeyError("secret"))
    logger.remove(sink)
    assert answer.status == 500
    assert msgspec.json.decode(str(answer.text))["code"] == "internal_error"
    assert "secret" not in str(answer.text)
    assert len(lines) == 1


def test_a_database_that_is_away_is_a_503_with_retry_after() -> None:
    answer = answer_to(DatabaseAway("gone"))
    assert (answer.status, answer.headers["Retry-After"]) == (503, str(RETRY_AFTER_S))


def test_every_problem_renders() -> None:
    for code, kind in KINDS.items():
        answer = answer_to(Problem(code))
        document = msgspec.json.decode(str(answer.text))
        assert answer.status == document["status"] == kind.status
        assert document["type"] == f"/docs#{code}"
        assert document["detail"]
        assert ("Retry-After" in answer.headers) == (
            kind.status == 503 or code == "idempotency_key_in_flight"
        )
