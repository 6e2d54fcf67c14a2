"""What stands around the handlers: health, metrics, docs, and clients that do not speak HTTP."""

import asyncio
import json
import logging
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.cli import client
from service.errors import NotifyError
from tests.integration.api.serving import HOOK, LIMIT_S, LINE, Api, serving
from tests.waiting import wait_for

HEAD = (
    b"POST /notify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Connection: close\r\n"
)


def talk(port: int, data: bytes) -> bytes:
    """Send bytes and read until the edge closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S) as connection:
        connection.sendall(data)
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


def test_ready_says_what_is_missing(empty_dsn: str) -> None:
    with serving(empty_dsn) as api:
        answer = api.get("/readyz")
        assert (answer.status, answer.json["status"]) == (503, "not ready")
        assert "notify migrate" in answer.json["missing"][0]
        assert api.get("/healthz").json == {"status": "alive"}
        assert api.post(LINE).status == 503


def test_ready_when_the_schema_is_current(api: Api) -> None:
    answer = api.get("/readyz")
    assert (answer.status, answer.json) == (200, {"status": "ready", "missing": []})


def test_all_who_ask_whether_it_is_ready_share_one_look(api: Api, monkeypatch) -> None:
    """Anybody may ask: a look of each took the connections of POST /notify."""
    may_end, looks = asyncio.Event(), []
    missing = api.store.missing

    async def look() -> list[str]:
        looks.append("begun")
        await may_end.wait()
        return await missing()

    monkeypatch.setattr(api.store, "missing", look)
    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(api.get, "/readyz") for _ in range(20)]
        wait_for(lambda: api.metric("api_requests_in_progress") == 20)
        api._loop.call_soon_threadsafe(may_end.set)
        assert [one.result().status for one in asked] == [200] * 20
    assert looks == ["begun"]


def test_metrics_are_prometheus_text(api: Api) -> None:
    assert list(text_string_to_metric_families(api.get("/metrics").body.decode()))


def test_the_root_leads_to_the_docs(api: Api) -> None:
    answer = api.get("/")
    assert (answer.status, answer.headers["Location"]) == (302, "/docs")
    assert b"<h1>" in api.get("/docs").body
    assert api.get("/openapi.json").json["openapi"] == "3.1.0"


def test_expect_100_continue_is_answered(api: Api) -> None:
    body = json.dumps(LINE).encode()
    head = HEAD + b"Expect: 100-continue\r\n"
    answer = talk(api.port, head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted")


NOT_HTTP = {
    "noise": b"\x16\x03\x01\x02\x00\x01\xff\r\n\r\n",
    "a wrong method": b"B\x00REW / HTTP/1.1\r\n\r\n",
    "a header without a colon": b"GET /healthz HTTP/1.1\r\nHost localhost\r\n\r\n",
    "a header of 20 KB": b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    "a chunk without a size": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", NOT_HTTP)
def test_what_is_not_http_is_a_400_without_a_traceback(
    name: str, api: Api, caplog: pytest.LogCaptureFixture, tracebacks: list[str]
) -> None:
    assert talk(api.port, NOT_HTTP[name])[:13] in (b"HTTP/1.0 400 ", b"HTTP/1.1 400 ")
    assert not tracebacks
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_half_a_body_is_no_notification_and_no_traceback(
    api: Api, db, caplog: pytest.LogCaptureFixture, tracebacks: list[str]
) -> None:
    with socket.create_connection(("127.0.0.1", api.port)) as connection:
        connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n" + json.dumps(LINE).encode())
    wait_for(lambda: api.metric("api_jobs_enqueue_failed_total", reason="invalid") == 1)
    assert db.execute("select count(*) as n from notify.notifications").fetchone().n == 0
    assert not tracebacks
    assert not caplog.records


def test_shutdown_answers_what_was_taken(dsn: str, db: psycopg.Connection[Any]) -> None:
    statuses: list[int] = []
    with psycopg.connect(dsn) as blocker, serving(dsn) as api:
        blocker.execute("lock table notify.notifications in share mode")
        waiting = threading.Thread(target=lambda: statuses.append(api.post(LINE).status))
        waiting.start()
        wait_for(lambda: db.execute(
            "select count(*) as n from pg_locks where not granted and locktype = 'relation'"
        ).fetchone().n)  # fmt: skip
        letting_go = threading.Timer(0.3, blocker.rollback)
        letting_go.start()
    letting_go.join()
    waiting.join()
    assert statuses == [202]


def test_the_client_sends_and_asks(api: Api) -> None:
    base = f"http://127.0.0.1:{api.port}/"
    sent = client.send(base, HOOK)
    payload = client.status(base, sent["id"])["payload"]  # as it is written: msgspec.Raw
    assert json.loads(bytes(payload)) == HOOK["payload"]


def test_the_client_says_in_one_line_what_is_wrong(api: Api) -> None:
    base = f"http://127.0.0.1:{api.port}"
    with pytest.raises(NotifyError, match=r"^The priority is wrong: /priority Use 0 .*\)$"):
        client.send(base, HOOK | {"priority": 9})
    with pytest.raises(NotifyError, match=r"no such notification.*\(notification_not_found\)"):
        client.status(base, "nothing/../x")


@pytest.mark.parametrize("base", ["http://127.0.0.1:1", "nonsense", "http://", "http://[", "x://y"])
def test_the_client_says_when_nobody_answers(base: str) -> None:
    with pytest.raises(NotifyError) as caught:
        client.send(base, HOOK)
    assert "\n" not in str(caught.value)
