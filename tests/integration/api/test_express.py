"""The express road (service/http/express.py): nobody can tell which road a request took."""

import json
import re
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from service.access.key import Secret, minted
from service.api.express import ExpressEnqueue
from service.http.express import is_tried
from service.ledger.enqueue_store import EnqueueStore
from tests.integration.api.serving import HOOK, LIMIT_S, LINE, Api, serving
from tests.integration.api.test_connections import POST, WHOLE, answer, is_closed, limits
from tests.integration.api.test_keys import key_of
from tests.keys import bearer
from tests.waiting import wait_for

OURS_ALONE = re.compile(rb"[0-9a-f-]{36}|\d{4}-\d\d-\d\dT[0-9:.]+Z|Date: [^\r]+")


class Taken(list[bool]):
    """Whether the express road took each request that it was shown; closed, it takes none."""

    is_closed = False


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Taken:
    """Note which requests go by the express road."""
    taken, takes = Taken(), ExpressEnqueue.takes

    def noted(*args: Any) -> bool:
        taken.append(not taken.is_closed and takes(*args))
        return taken[-1]

    monkeypatch.setattr(ExpressEnqueue, "takes", noted)
    return taken


@pytest.fixture
def api(taken: Taken, dsn: str):
    """Serve, and note."""
    with serving(dsn) as running:
        yield running


def connected(api: Api) -> socket.socket:
    """Connect, and let the edge begin to wait for a request."""
    connection = socket.create_connection(("127.0.0.1", api.port), timeout=LIMIT_S)
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer(connection).startswith(b"HTTP/1.1 200 ")
    return connection


def post(notification: object, *headers: bytes) -> bytes:
    """Write a request."""
    body = json.dumps(notification).encode()
    lines = b"".join([header + b"\r\n" for header in headers])
    return POST + lines + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def authorization(key: Secret) -> tuple[bytes, ...]:
    """Write the header that brings a key."""
    return tuple(f"{name}: {value}".encode() for name, value in bearer(key).items())


def both_ways(api: Api, taken: Taken, request: bytes) -> tuple[bytes, bytes]:
    """Send a request twice, with the road open and closed; returns both answers, without ids."""
    taken.clear()
    answers = []
    for taken.is_closed in (False, True):
        with connected(api) as connection:
            connection.sendall(request)
            answers.append(OURS_ALONE.sub(b"", answer(connection)))
    assert len(taken) == 2
    return answers[0], answers[1]


def test_both_roads_give_the_same_receipt(api: Api, taken: Taken) -> None:
    at_once, usual = both_ways(api, taken, WHOLE)
    assert taken[0] is True
    assert at_once == usual
    assert at_once.startswith(b"HTTP/1.1 202 Accepted\r\n")


def test_both_roads_say_that_it_was_here_before(api: Api, taken: Taken) -> None:
    with connected(api) as connection:
        connection.sendall(post(LINE, b"Idempotency-Key: first"))
        answer(connection)
    at_once, usual = both_ways(api, taken, post(LINE, b"Idempotency-Key: first"))
    assert taken[0] is True
    assert at_once == usual
    assert b"Idempotency-Replayed: true\r\n" in at_once


def test_both_roads_refuse_alike_what_the_database_refuses(
    api: Api, taken: Taken, db: psycopg.Connection[Any]
) -> None:
    db.execute("alter table notify.notifications add constraint no_nobody check (recipient <> 'x')")
    at_once, usual = both_ways(api, taken, post(LINE | {"recipient": "x"}))
    assert taken[0] is True
    assert at_once == usual
    assert b'"code":"refused_by_database"' in at_once
    assert api.metric("api_jobs_enqueue_failed_total", reason="invalid") == 2


def test_what_was_accepted_is_counted_by_either_road(api: Api, taken: Taken) -> None:
    both_ways(api, taken, post(HOOK))
    assert api.metric("api_jobs_enqueued_total", channel="webhook") == 2
    assert api.metric("api_request_seconds_count", route="/notify", code="202") == 2
    assert api.metric("api_requests_in_progress") == 0


USUAL = {
    "a body that is no JSON": WHOLE.replace(b"{", b"["),
    "a notification that is refused": post(LINE | {"recipient": ""}),
    "another content type": WHOLE.replace(b"application/json", b"application/problem+json"),
    "a foreign host": WHOLE.replace(b"localhost", b"example.org"),
    "a page of another origin": post(LINE, b"Origin: http://example.org"),
    "a compressed body": post(LINE, b"Content-Encoding: gzip"),
    "another path": WHOLE.replace(b"/notify ", b"/notify/ "),
    "a query": WHOLE.replace(b"/notify ", b"/notify?x=1 "),
}


@pytest.mark.parametrize("name", USUAL)
def test_what_is_not_plainly_right_takes_the_usual_road(name: str, api: Api, taken: Taken) -> None:
    at_once, usual = both_ways(api, taken, USUAL[name])
    assert taken[0] is False
    assert at_once == usual


NOT_SHOWN = {
    "Expect": post(LINE, b"Expect: 100-continue"),
    "Connection: close": post(LINE, b"Connection: close"),
    "HTTP/1.0": WHOLE.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "no body": POST + b"Content-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("name", NOT_SHOWN)
def test_what_aiohttp_has_more_to_do_for_takes_its_road(name: str, api: Api, taken: Taken) -> None:
    with connected(api) as connection:
        connection.sendall(NOT_SHOWN[name])
        assert answer(connection).startswith(b"HTTP/1.")
    assert taken == []


def test_a_key_says_whose_it_is_on_either_road(
    api: Api, taken: Taken, db: psycopg.Connection[Any]
) -> None:
    key = key_of(api, db, "send")
    at_once, usual = both_ways(api, taken, post(LINE, *authorization(key)))
    assert taken[0] is True
    assert at_once == usual
    assert at_once.startswith(b"HTTP/1.1 202 ")
    rows = db.execute("select producer from notify.notifications")
    assert [row.producer for row in rows] == ["shop", "shop"]


def test_a_key_without_the_scope_takes_the_usual_road_to_its_refusal(
    api: Api, taken: Taken, db: psycopg.Connection[Any]
) -> None:
    for scope, other in (("read", LINE), ("send:log", HOOK)):
        key = key_of(api, db, scope)
        at_once, usual = both_ways(api, taken, post(other, *authorization(key)))
        assert taken[0] is False
        assert at_once == usual
        assert b'"code":"scope_missing"' in at_once


def test_who_brings_no_key_or_a_wrong_one_takes_the_usual_road(
    api: Api, taken: Taken, db: psycopg.Connection[Any]
) -> None:
    key_of(api, db, "send")
    for headers, code in (((), b"key_missing"), (authorization(minted()), b"key_invalid")):
        at_once, usual = both_ways(api, taken, post(LINE, *headers))
        assert taken[0] is False
        assert at_once == usual
        assert b'"code":"%b"' % code in at_once


def test_a_key_with_a_limit_hears_what_is_left_of_it(
    api: Api, taken: Taken, db: psycopg.Connection[Any]
) -> None:
    key = key_of(api, db, "send", rate_per_s=1000.0)
    at_once, _ = both_ways(api, taken, post(LINE, *authorization(key)))
    assert taken[0] is False
    assert b"\r\nRateLimit: " in at_once


def test_the_trace_of_the_header_is_the_row_s_trace(
    api: Api, taken: Taken, db: psycopg.Connection[Any]
) -> None:
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    both_ways(api, taken, post(LINE, f"traceparent: {trace}".encode()))
    assert taken[0] is True
    rows = db.execute("select traceparent from notify.notifications")
    assert [row.traceparent for row in rows] == [trace, trace]


def test_requests_that_come_together_are_answered_in_their_order(api: Api, taken: Taken) -> None:
    wrong = post(LINE | {"recipient": ""})
    with connected(api) as connection:
        for first, second in ((WHOLE, wrong), (WHOLE, WHOLE), (wrong, WHOLE)):
            connection.sendall(first + second + WHOLE)
            statuses = [answer(connection).split()[1] for _ in range(3)]
            assert statuses == [b"422" if r is wrong else b"202" for r in (first, second, WHOLE)]
    assert taken == [True, True, False]


def test_a_request_behind_one_that_is_being_answered_waits(
    api: Api, db: psycopg.Connection[Any]
) -> None:
    with connected(api) as connection:
        db.execute("begin")
        db.execute("lock table notify.notifications in exclusive mode")
        connection.sendall(WHOLE)
        wait_for(lambda: api.metric("api_requests_in_progress") == 1)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        connection.settimeout(0.1)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        db.execute("commit")
        connection.settimeout(LIMIT_S)
        assert [answer(connection).split()[1] for _ in range(2)] == [b"202", b"200"]


def test_a_client_that_goes_away_leaves_nothing_in_progress(
    api: Api, db: psycopg.Connection[Any]
) -> None:
    with connected(api) as connection:
        db.execute("begin")
        db.execute("lock table notify.notifications in exclusive mode")
        connection.sendall(WHOLE)
        wait_for(lambda: api.metric("api_requests_in_progress") == 1)
        reset = struct.pack("ii", 1, 0)  # without it, it may be one that only sends no more
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
    wait_for(lambda: api.metric("api_connections") == 0)
    db.execute("commit")
    wait_for(lambda: api.metric("api_requests_in_progress") == 0)
    assert db.execute("select count(*) from notify.notifications").fetchone() == (1,)


def test_a_shutdown_waits_for_the_answer(
    taken: Taken, dsn: str, db: psycopg.Connection[Any]
) -> None:
    db.execute("begin")
    db.execute("lock table notify.notifications in exclusive mode")
    with serving(dsn) as api:
        connection = connected(api)
        connection.sendall(WHOLE)
        wait_for(lambda: api.metric("api_requests_in_progress") == 1)
        letting_go = threading.Thread(target=lambda: (wait_for(is_shut(api)), db.execute("commit")))
        letting_go.start()
    letting_go.join()
    with connection:
        assert answer(connection).startswith(b"HTTP/1.1 202 ")
        assert connection.recv(1) == b""
    assert taken == [True]


def is_shut(api: Api) -> Callable[[], bool]:
    """Return what says whether nobody gets in any more."""

    def look() -> bool:
        with socket.socket() as newcomer:
            return newcomer.connect_ex(("127.0.0.1", api.port)) != 0

    return look


def test_an_idle_connection_is_not_closed_while_its_request_is_being_answered(
    dsn: str, db: psycopg.Connection[Any]
) -> None:
    with serving(dsn, limits=limits(idle_s=1.0)) as api:
        db.execute("begin")
        db.execute("lock table notify.notifications in exclusive mode")
        with connected(api) as connection:
            connection.sendall(WHOLE)
            connection.settimeout(2.0)
            with pytest.raises(TimeoutError):
                connection.recv(1)
            db.execute("commit")
            connection.settimeout(LIMIT_S)
            assert answer(connection).startswith(b"HTTP/1.1 202 ")
            assert is_closed(connection)


def test_a_defect_is_a_500_and_is_logged(
    api: Api, taken: Taken, monkeypatch: pytest.MonkeyPatch, tracebacks: list[str]
) -> None:
    async def broken(*args: Any, **options: Any) -> Any:
        raise KeyError

    monkeypatch.setattr(EnqueueStore, "enqueue", broken)
    at_once, usual = both_ways(api, taken, WHOLE)
    assert taken[0] is True
    assert at_once == usual
    assert at_once.startswith(b"HTTP/1.1 500 ")
    assert tracebacks == ["enqueue_failed"] * 2


def test_another_aiohttp_takes_the_usual_road():
    assert is_tried()
    assert not is_tried("3.15.0")
    assert not is_tried("4.0.0")
