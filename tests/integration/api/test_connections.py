"""Connections that stand still or come in numbers: each ends in time, and nobody else waits."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from http.client import HTTPConnection

import psycopg
import pytest

from service.http.connections import Limits
from tests.integration.api.serving import LIMIT_S, LINE, Api, serving
from tests.waiting import wait_for

BODY = json.dumps(LINE).encode()
POST = b"POST /notify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
WHOLE = POST + b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
NEVER_S = 600.0
SHORT_S = 0.2
MANY = 40


def limits(**given: float) -> Limits:
    """Give limits of which only those given can be reached in a test."""
    patient = {"head_s": NEVER_S, "body_s": NEVER_S, "answer_s": NEVER_S, "idle_s": NEVER_S}
    return Limits(**({"connections_max": 1000} | patient | given))  # type: ignore[arg-type]


@pytest.fixture
def connect() -> Iterator[Callable[[Api], socket.socket]]:
    """Open connections that are closed at the end."""
    with ExitStack() as stack:
        yield lambda api: stack.enter_context(
            socket.create_connection(("127.0.0.1", api.port), timeout=LIMIT_S)
        )


def is_closed(connection: socket.socket) -> bool:
    """Wait until the edge closes; what it says before is skipped."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        pass
    except TimeoutError:
        return False
    return True


def answer(connection: socket.socket) -> bytes:
    """Read one answer with its body, and no byte more."""
    said = b""
    while b"\r\n\r\n" not in said:
        said += connection.recv(1)
    head = said.lower()
    if b"content-length: " in head:
        for _ in range(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])):
            said += connection.recv(1)
    return said


def parted(connection: socket.socket) -> tuple[str, bytes]:
    """Read one answer: its head in small letters, and its body."""
    head, _, body = answer(connection).partition(b"\r\n\r\n")
    return head.decode().lower(), body


HALF_HEADS = {
    "nothing at all": b"",
    "half a request line": b"POST /noti",
    "a request line": b"POST /notify HTTP/1.1\r\n",
    "half a header": POST + b"X: a",
    "all but the last line": POST,
    "empty lines": b"\r\n\r\n",
    "half of a TLS hello": b"\x16\x03\x01",
}


@pytest.mark.parametrize("name", HALF_HEADS)
def test_a_head_that_does_not_end_is_closed(name: str, dsn: str, connect) -> None:
    with serving(dsn, limits=limits(head_s=SHORT_S)) as api:
        connection = connect(api)
        connection.sendall(HALF_HEADS[name])
        assert is_closed(connection)


def drip(connection) -> None:
    """Send a byte now and then. Raises ConnectionError when the other side has closed."""
    connection.settimeout(0.05)
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        connection.sendall(b"a")
        with suppress(TimeoutError):
            if connection.recv(1) == b"":
                raise ConnectionError


def test_a_head_that_drips_is_closed_all_the_same(dsn: str, connect) -> None:
    with serving(dsn, limits=limits(head_s=1.0)) as api:
        connection = connect(api)
        connection.sendall(POST)
        with pytest.raises(ConnectionError):
            drip(connection)


def test_a_second_head_that_does_not_end_is_closed_before_it_would_be_idle(
    dsn: str, connect
) -> None:
    with serving(dsn, limits=limits(head_s=SHORT_S)) as api:
        connection = connect(api)
        connection.sendall(WHOLE)
        assert answer(connection).startswith(b"HTTP/1.1 202 ")
        connection.sendall(b"GET /he")
        assert is_closed(connection)


@pytest.mark.slow  # seconds pass
@pytest.mark.parametrize("body", [b"", b"{", BODY[:-1]])
def test_a_body_that_does_not_end_is_closed(body: bytes, dsn: str, connect) -> None:
    with serving(dsn, limits=limits(body_s=SHORT_S)) as api:
        for length in (b"Content-Length: 10000", b"Transfer-Encoding: chunked"):
            connection = connect(api)
            connection.sendall(POST + length + b"\r\n\r\n")
            if body:
                connection.sendall(body if b"Length" in length else b"%x\r\n" % 500 + body)
            assert is_closed(connection)


def test_a_body_that_drips_is_closed_all_the_same(dsn: str, connect) -> None:
    with serving(dsn, limits=limits(body_s=1.0)) as api:
        connection = connect(api)
        connection.sendall(POST + b"Content-Length: 10000\r\n\r\n")
        with pytest.raises(ConnectionError):
            drip(connection)


def test_an_idle_connection_is_closed(dsn: str, connect) -> None:
    with serving(dsn, limits=limits(idle_s=SHORT_S)) as api:
        connection = connect(api)
        connection.sendall(WHOLE)
        assert answer(connection).startswith(b"HTTP/1.1 202 ")
        assert is_closed(connection)


def test_a_client_that_reads_none_of_its_answers_is_closed(dsn: str) -> None:
    with serving(dsn, limits=limits(answer_s=SHORT_S)) as api:
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", api.port))
            connection.settimeout(LIMIT_S)
            asking = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
            with pytest.raises(ConnectionError):  # never by its own timeout
                while True:
                    connection.sendall(asking * 100)
        wait_for(lambda: api.metric("api_connections") == 0)


def test_a_connection_that_is_used_stays_open(dsn: str, connect) -> None:
    patience = limits(head_s=SHORT_S, body_s=SHORT_S, answer_s=SHORT_S)
    with serving(dsn, limits=patience) as api:
        connection = connect(api)
        until = time.monotonic() + 3.0  # several looks
        while time.monotonic() < until:
            connection.sendall(WHOLE)
            assert answer(connection).startswith(b"HTTP/1.1 202 ")


def test_pipelined_requests_are_answered_in_order(api: Api, connect) -> None:
    connection = connect(api)
    connection.sendall(WHOLE * 10 + WHOLE[:50])
    connection.sendall(WHOLE[50:])
    for _ in range(11):
        assert answer(connection).startswith(b"HTTP/1.1 202 ")


def test_a_body_of_several_pieces_is_no_head(api: Api, connect) -> None:
    connection = connect(api)
    body = json.dumps(LINE | {"payload": "x" * 200_000}).encode()
    head = POST + b"Content-Length: %d\r\n\r\n" % len(body)
    for _ in range(5):
        connection.sendall(head)
        for start in range(0, len(body), 10_000):
            connection.sendall(body[start : start + 10_000])
        assert answer(connection).startswith(b"HTTP/1.1 202 ")


def test_a_body_that_is_not_wanted_is_read_to_its_end_and_the_connection_kept(
    api: Api, connect
) -> None:
    connection = connect(api)
    for _ in range(3):
        connection.sendall(b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\n")
        connection.sendall(b"Content-Length: 500000\r\n\r\n" + b"x" * 500_000)
        assert answer(connection).startswith(b"HTTP/1.1 404 ")


LARGE_HEADS = {
    "a long line": b"GET /" + b"x" * 9000,
    "a long name": POST + b"x" * 9000,
    "a long value": POST + b"X: " + b"x" * 9000,
    "many headers": POST + b"".join(b"X%d: y\r\n" % n for n in range(200)),
    "large headers": POST + (b"X: " + b"x" * 4000 + b"\r\n") * 5,
}


@pytest.mark.parametrize("name", LARGE_HEADS)
def test_a_head_that_grows_is_closed_long_before_its_time(name: str, dsn: str, connect) -> None:
    with serving(dsn, limits=limits()) as api:
        connection = connect(api)
        connection.sendall(LARGE_HEADS[name])
        assert is_closed(connection)


def test_who_asks_takes_the_place_of_who_does_not(dsn: str, connect, events) -> None:
    with serving(dsn, limits=limits(connections_max=MANY)) as api:
        silent = [connect(api) for _ in range(MANY)]
        wait_for(lambda: api.metric("api_connections") == MANY)
        for _ in range(MANY // 2):
            assert api.post(LINE).status == 202
        assert is_closed(silent[0])
        assert api.metric("api_connections") <= MANY
        assert api.metric("api_connections_refused_total") >= 1
    assert [name for name, _ in events].count("connections_full") == 1


def test_idle_ones_make_room_when_nobody_is_silent(dsn: str, connect) -> None:
    with serving(dsn, limits=limits(connections_max=MANY)) as api:
        kept = [connect(api) for _ in range(MANY)]
        for connection in kept:
            connection.sendall(WHOLE)
            assert answer(connection).startswith(b"HTTP/1.1 202 ")

        def is_served() -> bool:
            try:
                return api.post(LINE).status == 202
            except (ConnectionError, OSError):
                return False

        wait_for(is_served)


USUAL = WHOLE.replace(b"Host:", b"Cookie: a=b\r\nHost:")  # no express road
LARGE = json.dumps(LINE | {"payload": "x" * 250_000}).encode()
REQUESTS = {
    "one by the express road": [WHOLE],
    "one by the usual road": [USUAL],
    "one by each": [WHOLE, USUAL],
    "more than are read at once": [USUAL, *[WHOLE] * 100],
    "one larger than a buffer": [POST + b"Content-Length: %d\r\n\r\n%s" % (len(LARGE), LARGE)],
}


@pytest.mark.parametrize("requests", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("is_slow", [False, True])
def test_who_sends_no_more_is_answered_then_closed(
    requests: list[bytes], is_slow: bool, dsn: str, connect
) -> None:
    with serving(dsn, limits=limits()) as api, psycopg.connect(dsn) as holder:
        connection = connect(api)
        if is_slow:
            holder.execute("lock table notify.notifications in share mode")
        connection.sendall(b"".join(requests))
        if is_slow:
            wait_for(lambda: api.metric("api_requests_in_progress") > 0)
        connection.shutdown(socket.SHUT_WR)
        holder.rollback()
        said = b"".join(iter(lambda: connection.recv(65536), b""))
        assert said.count(b"HTTP/1.1 202 ") == said.count(b'"id":') == len(requests)


@pytest.mark.parametrize("begun", [WHOLE[:-1], WHOLE + WHOLE[:-1], POST, b"", b"\r\n"])
def test_who_sends_no_more_in_the_middle_is_closed(begun: bytes, dsn: str, connect) -> None:
    with serving(dsn, limits=limits()) as api:
        connection = connect(api)
        connection.sendall(begun)
        connection.shutdown(socket.SHUT_WR)
        assert is_closed(connection)
        wait_for(lambda: api.metric("api_connections") == 0)


def test_who_sends_no_more_is_not_kept_waiting_for_an_end(dsn: str, connect) -> None:
    with serving(dsn, limits=limits()) as api:
        path = api.post(LINE).json["links"]["self"]
        connection = connect(api)
        connection.settimeout(20)  # seconds, fewer than others would wait
        connection.sendall(f"GET {path}?wait=30 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        connection.shutdown(socket.SHUT_WR)
        said = b"".join(iter(lambda: connection.recv(65536), b""))
        assert json.loads(said.partition(b"\r\n\r\n")[2])["status"] == "queued"


@pytest.mark.parametrize("request_", [WHOLE, USUAL])
def test_who_sends_no_more_waits_no_longer_than_others(request_: bytes, dsn: str, connect) -> None:
    with serving(dsn, limits=limits(answer_s=SHORT_S)) as api, psycopg.connect(dsn) as holder:
        holder.execute("lock table notify.notifications in share mode")
        connection = connect(api)
        connection.sendall(request_)
        wait_for(lambda: api.metric("api_requests_in_progress") == 1)
        connection.shutdown(socket.SHUT_WR)
        assert is_closed(connection)
        wait_for(lambda: api.metric("api_connections") == 0)
        holder.rollback()
        wait_for(lambda: api.metric("api_requests_in_progress") == 0)
        assert api.get("/healthz").status == 200


def test_when_all_are_being_served_a_newcomer_is_told_to_come_back(dsn: str, connect) -> None:
    with serving(dsn, limits=limits(connections_max=MANY)) as api, psycopg.connect(dsn) as holder:
        holder.execute("lock table notify.notifications in share mode")
        busy = [connect(api) for _ in range(MANY)]
        for connection in busy:
            connection.sendall(WHOLE)
        wait_for(lambda: api.metric("api_requests_in_progress") == MANY)
        newcomer = connect(api)
        head, body = parted(newcomer)
        assert head.startswith("http/1.1 503 ")
        assert "content-type: application/problem+json" in head.split("\r\n")
        assert "x-content-type-options: nosniff" in head.split("\r\n")
        assert "cache-control: no-store" in head.split("\r\n")
        assert json.loads(body)["code"] == "overloaded"
        holder.rollback()
        for connection in busy:
            assert answer(connection).startswith(b"HTTP/1.1 202 ")


HELD = {
    "half a body": b"Content-Length: 100\r\n\r\n{",
    "half a chunk": b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
    "a chunk's extension": b"Transfer-Encoding: chunked\r\n\r\n1;a",
    "what is to be continued": b"Expect: 100-continue\r\nContent-Length: 100\r\n\r\n",
}


@pytest.mark.slow  # seconds pass
@pytest.mark.parametrize("name", HELD)
def test_who_stops_within_a_body_makes_room_too(name: str, dsn: str, connect) -> None:
    with serving(dsn, limits=limits(connections_max=MANY)) as api:
        holding = [connect(api) for _ in range(MANY)]
        for connection in holding:
            connection.sendall(POST + HELD[name])
        wait_for(lambda: api.metric("api_requests_in_progress") == MANY)
        for _ in range(3):
            assert api.post(LINE).status == 202
        assert api.metric("api_connections") <= MANY


CHILD = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
import sys
from service.cli.main import main
sys.exit(main(["api"]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has no limit of descriptors")
def test_with_few_descriptors_healthy_clients_are_served_among_those_that_hang(
    dsn: str, tmp_path
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environ = {**os.environ, "DATABASE_URL": dsn, "PORT": str(port), "LOG_STYLE": "json"}
    log = tmp_path / "log"
    with log.open("wb") as out, ExitStack() as stack:
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD], env=environ, stderr=out, cwd=tmp_path
        )
        stack.callback(child.wait, LIMIT_S)
        stack.callback(child.send_signal, signal.SIGTERM)

        def status() -> int:
            connection = HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
            try:
                headers = {"Content-Type": "application/json"}
                connection.request("POST", "/notify", BODY, headers)
                return connection.getresponse().status
            except OSError:
                return 0
            finally:
                connection.close()

        wait_for(lambda: status() == 202, limit_s=LIMIT_S)
        for _ in range(400):
            hanging = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            hanging.sendall(POST)
        assert [status() for _ in range(20)] == [202] * 20
    assert log.read_text(encoding="utf-8").count("connections_full") == 1
