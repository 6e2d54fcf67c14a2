"""Client against servers that lie, lag and vanish: no call takes longer than its timeout."""

import json
import resource
import socket
import ssl
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email.message import Message
from itertools import repeat
from typing import Any
from uuid import UUID, uuid4

import pytest
import trustme
from notification_client import (
    Client,
    Invalid,
    KeyInFlight,
    NoAnswer,
    NotAuthorized,
    NotificationError,
    NotUnderstood,
    Problem,
    RateLimited,
    SomeRefused,
    Unavailable,
    _http,
    _transfer,
)
from notification_client._http import LEAST_S, slept
from notification_client._timed import ANSWER_MAX_BYTES, Timed
from notification_client._transfer import Answer, Lost, Request

from tests.client.lying import Liar, answer, lying, read_head, read_request

ID = uuid4()
RECEIPT = answer(json.dumps({"id": str(ID), "status": "queued"}).encode(), "202 Accepted")
TIMEOUT_S = 1.0
SLACK_S = 20.0  # for a busy machine; what it is held against would go on for ever


def problem(status, code, *headers):
    document = {"type": f"/docs#{code}", "title": "t", "status": status, "code": code}
    return answer(json.dumps(document).encode(), f"{status} X", *headers)


def body_of(request):
    return json.loads(request.partition(b"\r\n\r\n")[2])


def keys(liar):
    return {body_of(request)["idempotency_key"] for request in liar.asked}


def said(*answers):
    """Answer the first request with the first, and so on; the last from then on."""
    return lambda connection, n: connection.sendall(answers[min(n, len(answers)) - 1])


@pytest.fixture
def authority():
    """Give a server's context, and one of a client that trusts it."""
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    return server, trusting


def vanish(connection, _n):
    connection.shutdown(socket.SHUT_RDWR)


def reset(connection, _n):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


@pytest.mark.parametrize(
    "first",
    [
        problem(503, "overloaded"),
        problem(503, "database_unavailable", "Retry-After: 0"),
        problem(409, "idempotency_key_in_flight", "Retry-After: 0"),
        answer(b"<html>", "502 Bad Gateway"),
        answer(b"", "504 Gateway Timeout"),
        answer(b'{"id": ', length=100),
        b"HTTP/1.1 202 Accepted\r\nContent-Len",
        b"HTTP/1.1 503 X\r\nRetry-After: 36",
        b"HTTP/1.1 401 X\r\n",
    ],
)
def test_what_may_pass_is_asked_again_with_the_same_key(first):
    def script(connection, n):
        connection.sendall(first if n == 1 else RECEIPT)
        if n == 1 and (b"Length: 100" in first or b"\r\n\r\n" not in first):
            connection.shutdown(socket.SHUT_RDWR)

    with lying(script) as liar:
        assert Client(liar.url, timeout=30).send("log", "r", {}) == ID
        assert len(liar.asked) == 2
        assert len(keys(liar)) == 1


@pytest.mark.parametrize("ends", [vanish, reset])
def test_a_lost_connection_is_asked_again_with_the_same_key(ends):
    def script(connection, n):
        ends(connection, n) if n == 1 else connection.sendall(RECEIPT)

    with lying(script) as liar:
        assert Client(liar.url, timeout=30).send("log", "r", {}) == ID
        assert len(keys(liar)) == 1


def test_a_try_without_an_answer_leaves_time_for_another():
    release = threading.Event()

    def script(connection, n):
        release.wait(60) if n == 1 else connection.sendall(RECEIPT)

    with lying(script) as liar:
        assert Client(liar.url, timeout=3).send("log", "r", {}) == ID
        release.set()
        assert len(keys(liar)) == 1


class Clock:
    """A time that moves as a test says."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(_http, "time", clock)
    return clock


class Tries:
    """Stands where connections are made: keeps what time each try was given."""

    def __init__(self, clock, *ends):
        self._clock = clock
        self._ends = list(ends)
        self.given_s = []
        self.paths = []

    def ask(self, request, end):
        self.paths.append(request.path)
        self.given_s.append(round(end - self._clock.now, 3))
        took_s, answers = self._ends.pop(0)
        self._clock.now = end if took_s is None else self._clock.now + took_s
        if answers is None:
            raise Lost("no answer")
        return answers

    def close(self):
        """Nothing is open."""


ACCEPTED = Answer(202, Message(), json.dumps({"id": str(ID)}).encode())
ACCEPTED_MANY = Answer(200, Message(), json.dumps({"items": [{"id": str(ID)}]}).encode())
BUSY = Answer(503, Message(), b"{}")
SILENT, QUICK_LOSS, QUICK_REFUSAL = (None, None), (0, None), (0, BUSY)


def test_a_try_after_a_silent_one_has_all_the_time_that_is_left(clock, monkeypatch):
    monkeypatch.setattr(_http, "pauses_s", lambda: repeat(1.0))
    client = Client("http://x", timeout=30)
    tries = Tries(clock, SILENT, (18, ACCEPTED))
    monkeypatch.setattr(client, "_transfers", tries)
    assert client.send("log", "r", {}) == ID
    assert tries.given_s == [10, 19]


def test_one_that_was_lost_or_refused_at_once_has_used_up_nothing(clock, monkeypatch):
    monkeypatch.setattr(_http, "pauses_s", lambda: repeat(1.0))
    client = Client("http://x", timeout=30)
    tries = Tries(clock, QUICK_LOSS, QUICK_REFUSAL, SILENT, (16, ACCEPTED_MANY))
    monkeypatch.setattr(client, "_transfers", tries)
    assert client.send_many([{"channel": "log", "recipient": "r", "payload": 1}]) == [ID]
    assert tries.given_s == [10, 10, 10, 17]


def test_nor_does_a_wait_give_up_on_a_slow_answer(clock, monkeypatch):
    monkeypatch.setattr(_http, "pauses_s", lambda: repeat(1.0))
    client = Client("http://x", timeout=30)
    sent = Answer(200, Message(), json.dumps({"id": str(ID), "status": "sent"}).encode())
    tries = Tries(clock, SILENT, (18, sent))
    monkeypatch.setattr(client, "_transfers", tries)
    assert client.wait(ID, timeout=20)["status"] == "sent"
    assert tries.given_s == [30, 19]
    assert tries.paths == [f"/notifications/{ID}?wait=20", f"/notifications/{ID}?wait=0"]


def test_the_service_waits_no_longer_than_is_left_after_a_loss(clock, monkeypatch):
    monkeypatch.setattr(_http, "pauses_s", lambda: repeat(1.0))
    client = Client("http://x", timeout=30)
    sent = Answer(200, Message(), json.dumps({"id": str(ID), "status": "sent"}).encode())
    tries = Tries(clock, (14, None), (0, sent))
    monkeypatch.setattr(client, "_transfers", tries)
    assert client.wait(ID, timeout=20)["status"] == "sent"
    assert tries.paths == [f"/notifications/{ID}?wait=20", f"/notifications/{ID}?wait=5"]


def test_a_handshake_has_what_connecting_left_of_the_time(clock, monkeypatch):
    def connected(_place, timeout):
        clock.now += 0.9 * timeout
        return socket.socket()

    monkeypatch.setattr(socket, "create_connection", connected)
    monkeypatch.setattr(_transfer, "time", clock)
    given_s = []

    def wrap(_self, sock, **_options):
        given_s.append(round(sock.gettimeout(), 3))
        raise OSError("no handshake")

    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", wrap)
    monkeypatch.setattr(_http, "TRIES", 1)
    with pytest.raises(NoAnswer):
        Client("https://127.0.0.1", timeout=30).get(ID)
    assert given_s[0] == 3


def test_kept_connections_that_fell_silent_cost_one_try():
    """A way that lost its state drops what comes by all of them: the second try takes a new one."""
    both, release, seen = threading.Barrier(2), threading.Event(), []

    def script(connection, _n):
        seen.append(connection)
        if len(seen) <= 2:
            both.wait(60)
        if seen.count(connection) > 1:
            release.wait(60)
        connection.sendall(RECEIPT)

    with lying(script) as liar:
        client = Client(liar.url, timeout=3)
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(lambda _: client.send("log", "r", {}), range(2))) == [ID, ID]
        assert client.send("log", "r", {}) == ID
        release.set()
        assert len(set(seen)) == 3


def test_a_kept_connection_that_the_server_closed_is_opened_anew():
    def script(connection, n):
        connection.sendall(RECEIPT)
        if n == 1:
            connection.shutdown(socket.SHUT_RDWR)

    with lying(script) as liar:
        client = Client(liar.url, timeout=30)
        assert [client.send("log", "r", {}) for _ in range(2)] == [ID, ID]


@pytest.mark.parametrize("status", ["202 Accepted", "408 Request Timeout"])
def test_what_a_kept_connection_says_unasked_is_no_answer(status):
    has_answer, has_more = threading.Event(), threading.Event()

    def script(connection, n):
        connection.sendall(RECEIPT)
        if n == 1:
            has_answer.wait(60)
            connection.sendall(answer(b'{"id": "00000000-0000-7000-8000-000000000000"}', status))
            has_more.set()

    with lying(script) as liar:
        client = Client(liar.url, timeout=30)
        ids = [client.send("log", "r", {})]
        has_answer.set()
        assert has_more.wait(60)
        ids.append(client.send("log", "r", {}))
        assert ids == [ID, ID]


def receipt_of(request):
    """Accept it under an id that its payload says."""
    id = str(UUID(int=body_of(request)["payload"]))
    return answer(json.dumps({"id": id}).encode(), "202 Accepted")


HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nContent-Length: 3\r\n\r\n"


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 102 Processing\r\n\r\n",
        HINTS,
        HINTS + b"HTTP/1.1 100 Continue\r\n\r\n" + HINTS,
        b"HTTP/1.1 199 X\r\nConnection: close\r\n\r\n",
    ],
)
@pytest.mark.parametrize("ends", [b"", b"\r\n"])
def test_what_comes_before_an_answer_is_no_answer(interim, ends):
    """`ends`: whether an empty line follows, which answers nothing either."""
    has_interim = threading.Event()

    def script(connection, _n):
        connection.sendall(interim)
        has_interim.wait(0.1)  # so that it mostly comes by itself; together it is the same
        connection.sendall(receipt_of(liar.asked[-1]) + ends)

    with lying(script) as liar:
        client = Client(liar.url, timeout=30)
        assert [client.send("log", "r", n) for n in range(3)] == [UUID(int=n) for n in range(3)]


def hints_for_ever(connection, _n):
    while True:
        connection.sendall(HINTS)
        time.sleep(0.05)


def framed(body, *headers, status="202 Accepted"):
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode() + body


BODY = json.dumps({"id": str(ID)}).encode()
IN_CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
LENGTH = f"Content-Length: {len(BODY)}"
AMBIGUOUS = {
    "two framings": framed(IN_CHUNKS, "Transfer-Encoding: chunked", LENGTH),
    "two lengths": framed(BODY, LENGTH, "Content-Length: 9"),
    "a list of codings": framed(BODY, LENGTH, "Transfer-Encoding: gzip, chunked"),
    "chunked twice": framed(IN_CHUNKS, "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
    "a length that only Python reads": framed(BODY, f"Content-Length: +{len(BODY)}"),
    "a header that is none": framed(BODY, LENGTH, "none", "Transfer-Encoding: chunked"),
    "a byte too many": framed(BODY + b"H", LENGTH),
    "bytes after the last chunk": framed(IN_CHUNKS + b"HTTP", "Transfer-Encoding: chunked"),
    "another answer": framed(BODY, LENGTH) + answer(b'{"id": "0"}'),
}  # fmt: skip


def connections_for(said, count):
    """Answer all requests so; return on how many connections they came, and what became of each."""
    seen, results = set(), []

    def script(connection, _n):
        seen.add(connection)
        connection.sendall(said)

    with lying(script) as liar:
        client = Client(liar.url, timeout=30)
        for _ in range(count):
            try:
                results.append(client.send("log", "r", {}))
            except NotUnderstood:
                results.append(None)
    return len(seen), results


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_a_connection_whose_answer_may_end_elsewhere_is_not_kept(name):
    assert connections_for(AMBIGUOUS[name], 3) == (3, [ID] * 3)


@pytest.mark.parametrize(
    "said",
    [
        framed(b"", "Upgrade: x", status="101 Switching Protocols"),
        framed(b"", "Content-Length: 5", status="204 No Content"),
        framed(b"", "Content-Length: 5", status="304 Not Modified"),
    ],
)
def test_nor_is_one_after_an_answer_that_has_no_body(said):
    assert connections_for(said, 3) == (3, [None] * 3)


@pytest.mark.parametrize(
    "said",
    [framed(BODY, LENGTH), framed(IN_CHUNKS, "Transfer-Encoding: Chunked")],
    ids=["length", "chunks"],
)
def test_every_other_one_is_kept(said):
    assert connections_for(said, 3) == (1, [ID] * 3)


@contextmanager
def no_descriptor_left():
    """Let nothing more be opened in this process."""
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, usual)


def test_a_kept_connection_is_used_where_no_descriptor_is_left():
    with lying(RECEIPT) as liar:
        client = Client(liar.url, timeout=30)
        client.send("log", "r", {})
        with no_descriptor_left():
            assert client.send("log", "r", {}) == ID


def test_where_none_is_kept_either_there_is_no_answer():
    with lying(RECEIPT) as liar, no_descriptor_left(), pytest.raises(NoAnswer):
        Client(liar.url, timeout=TIMEOUT_S).send("log", "r", {})


def trickle(connection, _n):
    for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10_000:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def trickle_body(connection, _n):
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(10_000):
        connection.sendall(b"1\r\n \r\n")
        time.sleep(0.05)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def continue_for_ever(connection, _n):
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.05)


def trailers_for_ever(connection, _n):
    connection.sendall(CHUNKED + b"0\r\n")
    while True:
        connection.sendall(b"X: y\r\n")
        time.sleep(0.05)


def chunk_without_length(connection, _n):
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")


def silence(connection, _n):
    connection.recv(1)


@pytest.mark.parametrize(
    "script",
    [
        trickle,
        trickle_body,
        continue_for_ever,
        hints_for_ever,
        trailers_for_ever,
        chunk_without_length,
        silence,
        vanish,
    ],
)
def test_what_never_ends_takes_no_longer_than_the_timeout(script):
    with lying(script) as liar:
        began = time.monotonic()
        with pytest.raises(NoAnswer) as caught:
            Client(liar.url, timeout=TIMEOUT_S).send("log", "r", {})
        assert time.monotonic() - began < TIMEOUT_S + SLACK_S
        assert UUID(caught.value.idempotency_key)
        assert keys(liar) == {caught.value.idempotency_key}


def test_a_server_that_reads_nothing_takes_no_longer_than_the_timeout():
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = Client(f"http://127.0.0.1:{server.getsockname()[1]}", timeout=TIMEOUT_S)
        many = [{"channel": "log", "recipient": "r", "payload": "x" * 100_000}] * 100
        began = time.monotonic()
        with pytest.raises(NoAnswer):
            client.send_many(many)
        assert time.monotonic() - began < TIMEOUT_S + SLACK_S


# More than the buffers of both sides take: it is still being sent when the answer comes.
LARGE = [{"channel": "log", "recipient": "r", "payload": "x" * 100_000}] * 200
REPORT = answer(json.dumps({"items": [{"id": str(ID)}] * len(LARGE)}).encode())


def answered_early(*answers):
    """Answer as said() does, before the body is read, and close the connection."""

    def script(connection, n):
        connection.sendall(answers[min(n, len(answers)) - 1])
        connection.close()

    return script


EARLY = {
    "too large": (problem(413, "request_too_large"), Invalid),
    "no key": (problem(401, "unauthorized"), NotAuthorized),
    "too fast": (problem(429, "rate_limited", "Retry-After: 7"), RateLimited),
    "away for long": (problem(503, "overloaded", "Retry-After: 3600"), Unavailable),
}


@pytest.mark.parametrize("name", EARLY)
def test_a_refusal_that_comes_before_the_whole_request_was_sent_is_told_and_asked_once(name):
    refusal, kind = EARLY[name]
    with lying(answered_early(refusal), read_head) as liar:
        with pytest.raises(kind) as caught:
            Client(liar.url, timeout=60).send_many(LARGE)
        assert caught.value.status == int(refusal[9:12])
        assert len(liar.asked) == 1


def test_so_is_one_by_tls(authority):
    server, trusting = authority
    with lying(answered_early(EARLY["too large"][0]), read_head, server) as liar:
        with pytest.raises(Invalid):
            Client(liar.url, timeout=60, tls=trusting).send_many(LARGE)
        assert len(liar.asked) == 1


def read_head_then_request():
    """Read the first request's head, and the others to their end."""
    reads = iter([read_head])

    def read(connection):
        return next(reads, read_request)(connection)

    return read


def test_what_may_pass_is_asked_again_though_it_came_early():
    def script(connection, n):
        connection.sendall(problem(503, "overloaded") if n == 1 else REPORT)
        if n == 1:
            connection.close()

    with lying(script, read_head_then_request()) as liar:
        assert Client(liar.url, timeout=60).send_many(LARGE) == [ID] * len(LARGE)
        assert len(liar.asked) == 2


def test_nothing_is_accepted_before_it_was_sent():
    """Who answers 2xx to a part of a request has not got it: it is sent again, with its keys."""

    def script(connection, n):
        connection.sendall(REPORT)
        if n == 1:
            connection.close()

    with lying(script, read_head_then_request()) as liar:
        assert Client(liar.url, timeout=60).send_many(LARGE) == [ID] * len(LARGE)
        assert len(liar.asked) == 2


def test_nor_is_it_told_as_accepted_when_that_goes_on():
    with lying(answered_early(REPORT), read_head) as liar:
        with pytest.raises(NoAnswer) as caught:
            Client(liar.url, timeout=TIMEOUT_S).send_many(LARGE)
        assert len(caught.value.idempotency_keys) == len(LARGE)


@pytest.mark.parametrize("part", [b"", b"HTTP/1.1 413 X\r\n", problem(413, "x")[:-5]])
def test_a_part_of_an_early_answer_is_none(part):
    with lying(answered_early(part), read_head) as liar, pytest.raises(NoAnswer):
        Client(liar.url, timeout=TIMEOUT_S).send_many(LARGE)


def test_where_nobody_listens_there_is_no_answer():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(NoAnswer, match="refused"):
        Client(f"http://127.0.0.1:{port}", timeout=TIMEOUT_S).send("log", "r", {})


def flood(begins, part):
    """Begin an answer, and go on without end."""

    def script(connection, _n):
        connection.sendall(begins)
        while True:
            connection.sendall(part)

    return script


HUGE = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000000\r\n\r\n" + b"x" * (
    ANSWER_MAX_BYTES + 1
)
STRANGE: dict[str, Any] = {
    "a redirect": answer(b"", "302 Found", "Location: http://127.0.0.1:1/"),
    "a redirect that keeps the method": answer(b"", "307 X", "Location: /elsewhere"),
    "not modified": answer(b"", "304 Not Modified"),
    "a page": answer(b"<html>hello</html>"),
    "nothing": answer(b""),
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "a list": answer(b"[1]"),
    "a number": answer(b"3"),
    "NaN": answer(b"NaN"),
    "no id": answer(b'{"status": "queued"}'),
    "an id that is none": answer(b'{"id": "../x"}'),
    "an id that is a number": answer(b'{"id": 3}'),
    "an id that is null": answer(b'{"id": null}'),
    "deep": answer(b"[" * 200_000),
    "deep objects": answer(b'{"a":' * 200_000),
    "digits": answer(b'{"id": ' + b"1" * 100_000 + b"}"),
    "no UTF-8": answer(b'{"id": "\xff\xfe"}'),
    "compressed": answer(b"\x1f\x8b\x08\x00", "200 OK", "Content-Encoding: gzip"),
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "a strange status": b"HTTP/1.1 9999 OK\r\n\r\n",
    "a long header": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    "many headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
    "a huge body": HUGE,
    "a flood of chunks": flood(CHUNKED, b"10000\r\n" + b"x" * 65536 + b"\r\n"),
    "a flood of small chunks": flood(CHUNKED, b"1;" + b"x" * 1000 + b"\r\n \r\n"),
    "a flood after a chunk of less than nothing": flood(CHUNKED + b"-1\r\n", b"x" * 65536),
    "a flood of trailers": flood(CHUNKED + b"2\r\n{}\r\n0\r\n", b"X: y\r\n" * 1000),
    "a flood of 103 Early Hints": flood(b"", HINTS * 100),
    "an upgrade": b"HTTP/1.1 101 X\r\nUpgrade: x\r\n\r\n",
    "a flood of 100 Continue": flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "long headers": b"HTTP/1.1 200 OK\r\n" + (b"X: " + b"x" * 60_000 + b"\r\n") * 50 + b"\r\n{}",
    "a negative chunk": CHUNKED + b"-5\r\nabc\r\n0\r\n\r\n",
    "a chunk that is far from anything": CHUNKED + b"-" + b"f" * 60 + b"\r\nabc",
}


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_not_the_service_is_told_as_that_and_asked_once(name):
    with lying(STRANGE[name]) as liar:
        with pytest.raises(NotUnderstood):
            Client(liar.url, timeout=30).send("log", "r", {})
        assert len(liar.asked) == 1


@pytest.mark.parametrize("name", STRANGE)
def test_nor_is_a_notification_or_a_report_made_of_it(name):
    with lying(STRANGE[name]) as liar:
        client = Client(liar.url, timeout=30)
        with pytest.raises(NotUnderstood):
            client.get(ID)
        with pytest.raises(NotUnderstood):
            client.send_many([{"channel": "log", "recipient": "r", "payload": 1}])


ODD_PROBLEMS = [
    b"",
    b"[]",
    b'{"code": 3, "title": [], "detail": {}, "errors": "x", "status": "y", "type": null}',
    b'{"errors": [1, null, {"pointer": 3}, {"code": {}}]}',
    json.dumps({"code": "x\n\r\x1b[31m" * 10_000, "errors": [{}] * 10_000}).encode(),
    b"{" * 100_000,
]


@pytest.mark.parametrize("body", ODD_PROBLEMS)
@pytest.mark.parametrize("status", ["400 X", "418 X", "500 X", "599 X"])
def test_a_problem_that_is_written_oddly_is_a_problem(body, status):
    with lying(answer(body, status, "Retry-After: 1e9")) as liar:
        with pytest.raises(Problem) as caught:
            Client(liar.url, timeout=30).send("log", "r", {})
        assert caught.value.status == int(status[:3])
        assert len(caught.value.errors) <= 20
        assert len(str(caught.value)) < 5000
        assert str(caught.value).isprintable()


def test_what_stays_away_for_long_is_told_at_once():
    with lying(problem(503, "overloaded", "Retry-After: 3600")) as liar:
        with pytest.raises(Unavailable) as caught:
            Client(liar.url, timeout=30).send("log", "r", {})
        assert caught.value.retry_after == 3600
        assert keys(liar) == {caught.value.idempotency_key}


def test_a_key_that_stays_in_flight_is_told_when_the_time_is_over():
    with lying(problem(409, "idempotency_key_in_flight")) as liar:
        with pytest.raises(KeyInFlight):
            Client(liar.url, timeout=TIMEOUT_S).send("log", "r", {}, idempotency_key="k")
        assert len(liar.asked) > 1
        assert keys(liar) == {"k"}


def report(request, *, fails=()):
    """Accept what is no name in `fails`."""
    document = {"status": 503, "code": "overloaded"}
    items = [
        {"index": n, "problem": document}
        if item["reference"] in fails
        else {"index": n, "id": str(UUID(int=int(item["reference"])))}
        for n, item in enumerate(body_of(request))
    ]
    return answer(json.dumps({"items": items}).encode())


def test_only_those_of_a_batch_that_may_pass_are_sent_again_with_their_keys():
    asked = []

    def script(connection, n):
        asked.append(body_of(liar.asked[-1]))
        connection.sendall(report(liar.asked[-1], fails={"1": 1, "3": 1} if n == 1 else {}))

    items = [
        {"channel": "log", "recipient": "r", "payload": 1, "reference": str(n)} for n in range(4)
    ]
    with lying(script) as liar:
        ids = Client(liar.url, timeout=30).send_many(items)
    assert ids == [UUID(int=n) for n in range(4)]
    assert asked[1] == [asked[0][1], asked[0][3]]
    assert all(item["idempotency_key"] for item in asked[0])


def test_those_that_never_pass_are_told_with_the_others():
    items = [
        {"channel": "log", "recipient": "r", "payload": 1, "reference": str(n)} for n in range(2)
    ]

    def script(connection, _n):
        connection.sendall(report(liar.asked[-1], fails={"1"}))

    with lying(script) as liar, pytest.raises(SomeRefused) as caught:
        Client(liar.url, timeout=TIMEOUT_S).send_many(items)
    first, second = caught.value.results
    assert first == UUID(int=0)
    assert isinstance(second, Unavailable)


def test_what_is_known_of_a_batch_outlives_a_second_try_that_is_lost():
    items = [
        {"channel": "log", "recipient": "r", "payload": 1, "reference": str(n)} for n in range(2)
    ]

    def script(connection, n):
        if n == 1:
            connection.sendall(report(liar.asked[-1], fails={"1"}))
        else:
            vanish(connection, n)

    with lying(script) as liar, pytest.raises(SomeRefused) as caught:
        Client(liar.url, timeout=TIMEOUT_S).send_many(items)
    assert caught.value.results[0] == UUID(int=0)
    keys = [item["idempotency_key"] for item in body_of(liar.asked[0])]
    assert list(caught.value.idempotency_keys) == keys


def test_a_batch_without_an_answer_tells_the_keys_to_ask_again_with():
    with lying(vanish) as liar, pytest.raises(NoAnswer) as caught:
        Client(liar.url, timeout=TIMEOUT_S).send_many(
            [{"channel": "log", "recipient": "r", "payload": 1}] * 2
        )
    asked = [[item["idempotency_key"] for item in body_of(request)] for request in liar.asked]
    assert len(asked) > 1
    assert all(keys == list(caught.value.idempotency_keys) for keys in asked)


@pytest.mark.parametrize("items", [[], [{}], [3], [{"id": "x"}], [{"id": str(ID)}] * 3, {}, None])
def test_a_report_that_is_not_on_the_batch_is_no_report(items):
    with lying(answer(json.dumps({"items": items}).encode())) as liar:
        client = Client(liar.url, timeout=30)
        with pytest.raises(NotUnderstood):
            client.send_many([{"channel": "log", "recipient": "r", "payload": 1}] * 2)


def notification(status):
    return answer(json.dumps({"id": str(ID), "status": status}).encode())


def test_to_wait_is_to_ask_until_it_has_ended():
    with lying(said(notification("queued"), notification("sent"))) as liar:
        assert Client(liar.url).wait(ID, timeout=60)["status"] == "sent"
        first = liar.asked[0].split(b"\r\n")[0]
        assert first == f"GET /notifications/{ID}?wait=30 HTTP/1.1".encode()
        assert len(liar.asked) == 2


@pytest.mark.parametrize("status", ["sent", "failed", "cancelled", "expired"])
def test_every_end_is_an_end(status):
    with lying(notification(status)) as liar:
        assert Client(liar.url).wait(ID, timeout=60)["status"] == status


def test_a_wait_that_is_over_gives_what_it_is_by_then():
    with lying(notification("queued")) as liar:
        assert Client(liar.url).wait(ID, timeout=0)["status"] == "queued"
        assert b"?wait=0 " in liar.asked[0]
        began = time.monotonic()
        Client(liar.url).wait(ID, timeout=TIMEOUT_S)
        assert time.monotonic() - began < TIMEOUT_S + SLACK_S
        assert len(liar.asked) < 5  # also where the service never waits


def test_a_notification_of_another_id_is_not_taken():
    other = json.dumps({"id": str(uuid4()), "status": "sent"}).encode()
    with lying(answer(other)) as liar, pytest.raises(NotUnderstood):
        Client(liar.url).get(ID)


def test_the_key_and_the_trace_go_in_headers():
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with lying(RECEIPT) as liar:
        Client(f"{liar.url}/below/", "nk_x_y").send("log", "r", {}, traceparent=trace)
    head, _, body = liar.asked[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /below/notify HTTP/1.1"
    assert b"Authorization: Bearer nk_x_y" in lines
    assert f"traceparent: {trace}".encode() in lines
    assert "traceparent" not in json.loads(body)


def test_a_trace_that_would_be_a_header_of_its_own_is_refused():
    with lying(RECEIPT) as liar:
        with pytest.raises(ValueError, match="traceparent"):
            Client(liar.url).send("log", "r", {}, traceparent="00\r\nX: y")
        with pytest.raises(ValueError, match="traceparent"):
            Client(liar.url).send("log", "r", {}, traceparent="ü✓")
        assert liar.asked == []


def test_settings_of_proxies_have_no_say(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with lying(RECEIPT) as liar:
        assert Client(liar.url).send("log", "r", {}) == ID


@pytest.mark.parametrize(
    "url",
    ["", "localhost:3000", "ftp://x", "http://", "file:///etc/passwd", "http://user:p@x", "http://x?y",
     "http://x#y", "http://x:99999", "http://x/a b", "http://x/\r\nX: y", "http://x/ü"],
)  # fmt: skip
def test_a_url_that_is_none_is_refused_at_once(url):
    with pytest.raises(ValueError, match=r"url|[Pp]ort"):
        Client(url)


@pytest.mark.parametrize("key", ["", "a b", "a\r\nX: y", "ü", "nk_\0"])
def test_a_key_that_is_none_is_refused_at_once(key):
    with pytest.raises(ValueError, match="key"):
        Client("http://x", key)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_a_timeout_that_is_none_is_refused_at_once(timeout):
    with pytest.raises(ValueError, match="timeout"):
        Client("http://x", timeout=timeout)


def test_no_try_begins_that_has_hardly_any_time():
    """It would end without an answer, and hide what the one before it found."""
    assert not slept(0.0, time.monotonic() + LEAST_S / 2)
    assert slept(0.0, time.monotonic() + 60)


def shown_in(error):
    """Write all that a traceback with the values of variables shows of the client and below."""
    text = [str(error)]
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if not frame.f_globals["__name__"].startswith("tests."):
                text += [f"{name} = {value!r}" for name, value in frame.f_locals.items()]
        error = error.__cause__ or error.__context__
    return "\n".join(text)


BROKEN = {
    "a lost connection": vanish,
    "no answer in time": silence,
    "no HTTP": said(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    "a refusal": said(problem(401, "unauthorized")),
    "a report on nothing": said(answer(b'{"items": 3}')),
}


@pytest.mark.parametrize("name", BROKEN)
def test_no_traceback_shows_the_key(name):
    with lying(BROKEN[name]) as liar, pytest.raises(NotificationError) as caught:
        Client(liar.url, "nk_secret", timeout=TIMEOUT_S).get(ID)
    assert "nk_secret" not in shown_in(caught.value)
    assert b"Bearer nk_secret" in liar.asked[0]


def test_nor_does_one_while_the_request_is_sent(monkeypatch):
    def sendall(timed, data):
        raise ConnectionResetError

    monkeypatch.setattr(Timed, "sendall", sendall)
    with lying(RECEIPT) as liar, pytest.raises(NoAnswer) as caught:
        Client(liar.url, "nk_secret", timeout=TIMEOUT_S).get(ID)
    assert "nk_secret" not in shown_in(caught.value)


def test_a_request_does_not_show_what_it_carries():
    request = Request("POST", "/notify", b'"ada@example.org"', {"Authorization": "Bearer nk"})
    assert repr(request) == "Request(method='POST', path='/notify')"


@pytest.mark.parametrize(
    ("key", "url", "timeout"),
    [
        ("nk_secret\n", "http://x", 1.0),
        ("nk_secret", "ftp://x", 1.0),
        ("nk_secret", "http://x", -1.0),
    ],
)
def test_arguments_that_are_refused_do_not_show_the_key(key, url, timeout):
    with pytest.raises(ValueError, match=r"key|url|timeout") as caught:
        Client(url, key, timeout=timeout)
    assert "nk_secret" not in shown_in(caught.value)


def test_certificates_are_checked(authority):
    server, trusting = authority
    with lying(RECEIPT, tls=server) as liar:
        with pytest.raises(NoAnswer, match=r"(?i)certificate"):
            Client(liar.url, timeout=TIMEOUT_S).send("log", "r", {})
        assert Client(liar.url, timeout=30, tls=trusting).send("log", "r", {}) == ID


def test_a_server_is_closed():
    """The tests' own: else each would leave a thread."""
    liar = Liar(vanish, read_request)
    liar.close()
    assert not liar._thread.is_alive()
