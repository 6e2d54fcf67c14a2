"""Which connections are used again, and what is begun anew: against receivers that refuse."""

import math
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from typing import Any

import pytest
import trustme
from hyperframe.frame import GoAwayFrame

from service.config.settings import Settings
from service.model.words import Outcome
from service.names.guard import LOOPBACK
from tests.integration.workers.secure import Secure
from tests.integration.workers.test_transfers import answers, post, scripted
from workers import multi
from workers.channels.channel import Mail
from workers.channels.email import EmailChannel
from workers.channels.webhook import WebhookChannel
from workers.doubts import KNOWN_MAX, LIFETIME_S, Doubts
from workers.transfers import TRIES_MAX, Transfers

REFUSED_STREAM, INTERNAL_ERROR, CANCEL = 7, 2, 8


@pytest.fixture
def transfers(monkeypatch):
    monkeypatch.setattr("workers.http_handle.DEAD_MAX_S", math.inf)  # however slow the machine is
    transfers = Transfers(Settings(webhook_allow=LOOPBACK, send_deadline_s=60.0))
    yield transfers
    transfers.close()


class Refusing(Secure):
    """Speaks HTTP/2, and does with each request as `script` says."""

    script: Callable[..., Any]

    async def answer(self, http, stream, writer):
        self.waiting += 1
        await self.script(self, http, stream, writer)
        writer.write(http.data_to_send())

    def take(self, http, stream):
        self.requests += 1
        http.send_headers(stream, [(":status", "200")])
        http.send_data(stream, b"ok", end_stream=True)


@pytest.fixture
def refusing(tmp_path, monkeypatch):
    made = []

    def start(script):
        server = Refusing(tmp_path, "h2")
        server.script = script
        made.append(server)
        monkeypatch.setenv("SSL_CERT_FILE", str(server.authority))
        return server

    yield start
    for server in made:
        server.close()


def every(n, code):
    """Refuse each n-th request."""

    async def script(server, http, stream, _):
        if server.waiting % n == 0:
            http.reset_stream(stream, code)
        else:
            server.take(http, stream)

    return script


def leaves_out(code, announced=False):
    """Take five requests of a connection, and leave out the others with a GOAWAY."""
    taken = Counter()

    async def script(server, http, stream, writer):
        taken[http] += 1
        if taken[http] > 5:
            return
        server.take(http, stream)
        if announced and taken[http] == 2:
            writer.write(http.data_to_send() + GoAwayFrame(0, last_stream_id=2**31 - 1).serialize())
        if taken[http] == 5:
            goaway = GoAwayFrame(0, last_stream_id=stream, error_code=code).serialize()
            writer.write(http.data_to_send() + goaway)

    return script


@pytest.mark.parametrize("body", [b"{}", b"x" * 100_000])
@pytest.mark.parametrize("script", [every(2, REFUSED_STREAM), every(3, REFUSED_STREAM)])
def test_a_stream_that_is_refused_begins_anew_until_it_is_taken(refusing, transfers, script, body):
    server = refusing(script)
    found = answers(transfers, [post(f"{server.url}/{n}", body) for n in range(40)])
    assert {answer.status for answer in found} <= {0, 200}
    outcomes = {WebhookChannel(Settings()).judge(answer).outcome for answer in found}
    assert outcomes <= {Outcome.SENT, Outcome.UNREACHABLE}  # neither costs an attempt
    assert server.requests == sum(answer.status == 200 for answer in found)  # none came twice
    assert server.requests > 30


@pytest.mark.parametrize("script", [leaves_out(0), leaves_out(2), leaves_out(11)])
def test_a_stream_that_a_goaway_leaves_out_begins_anew(refusing, transfers, script):
    server = refusing(script)
    found = answers(transfers, [post(f"{server.url}/{n}") for n in range(40)])
    assert [answer.status for answer in found] == [200] * 40
    assert server.requests == 40


def test_a_receiver_that_leaves_in_two_steps_loses_nothing(refusing, transfers):
    server = refusing(leaves_out(0, announced=True))
    found = answers(transfers, [post(f"{server.url}/{n}") for n in range(40)])
    assert [answer.status for answer in found] == [200] * 40


def test_a_receiver_that_refuses_all_was_not_reached(refusing, transfers):
    server = refusing(every(1, REFUSED_STREAM))
    [answer] = answers(transfers, [post(server.url)])
    verdict = WebhookChannel(Settings()).judge(answer)
    assert (verdict.outcome, verdict.code) == (Outcome.UNREACHABLE, "refused_stream")
    assert server.waiting == TRIES_MAX


@pytest.mark.parametrize("code", [INTERNAL_ERROR, CANCEL])
def test_a_stream_that_is_reset_for_another_reason_is_an_answer(refusing, transfers, code):
    server = refusing(every(1, code))
    [answer] = answers(transfers, [post(server.url)])
    assert WebhookChannel(Settings()).judge(answer).outcome is Outcome.UNKNOWN
    assert server.waiting == 1


class Demanding:
    """A TLS server that wants to see a certificate: we have none. It says so with an alert."""

    def __init__(self, authority, version, *protocols):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(self.context)
        authority.configure_trust(self.context)
        self.context.minimum_version = self.context.maximum_version = version
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.set_alpn_protocols(list(protocols))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.refuse_all, daemon=True).start()

    def refuse_all(self):
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                with connection, suppress(OSError):
                    self.context.wrap_socket(connection, server_side=True)


def test_a_receiver_that_sends_without_an_end_is_left(refusing, transfers, monkeypatch):
    """How fast one can send is the machine's affair: here each move is one too many."""
    monkeypatch.setattr(multi, "MOVES_MAX", -1)
    monkeypatch.setattr(multi, "MOVING_MAX_S", -1.0)
    server = refusing(every(2, CANCEL))
    [answer] = answers(transfers, [post(server.url)])
    assert (answer.error, answer.error_text) == (42, "it sends without an end")
    with scripted(answers_by_path) as plain:
        plain.seen = []
        [answer] = answers(transfers, [post(f"http://127.0.0.1:{plain.port}/a")])
    assert answer.status == 200


@pytest.fixture
def demanding(tmp_path, monkeypatch):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    servers = []

    def start(version, *protocols):
        servers.append(Demanding(authority, version, *protocols))
        return servers[-1].port

    yield start
    for server in servers:
        server.listener.shutdown(socket.SHUT_RDWR)
        server.listener.close()


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_receiver_that_wants_a_certificate_says_so(demanding, transfers, version, protocol):
    url = f"https://127.0.0.1:{demanding(version, protocol)}/"
    for answer in answers(transfers, [post(url)] * 3):
        verdict = WebhookChannel(Settings()).judge(answer)
        assert verdict.outcome is Outcome.UNREACHABLE, answer
        assert verdict.code in ("tls", "tls_client_certificate"), answer


@pytest.mark.parametrize("version", VERSIONS)
def test_a_mail_server_that_wants_a_certificate_says_so(demanding, version):
    url = f"smtps://127.0.0.1:{demanding(version)}"
    settings = Settings(send_deadline_s=10.0, smtp_url=url, mail_from="a@a.example")
    transfers = Transfers(settings)
    mail = Mail(mail_from="a@a.example", mail_to="b@b.example", body=b"S: t\r\n\r\nt\r\n")
    verdict = EmailChannel(settings).judge(answers(transfers, [mail])[0])
    transfers.close()
    assert (verdict.outcome, verdict.code) == (Outcome.UNREACHABLE, "tls")


def numbered(statuses):
    """Answer as `statuses` says, and note which connection a request came on."""
    connections = []

    async def speak(server, reader, writer):
        connections.append(writer)
        number = len(connections)
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            await reader.readexactly(int(head.partition("content-length:")[2].split()[0]))
            server.seen.append(number)
            status = statuses.pop(0) if statuses else 200
            if status == 0:
                writer.transport.abort()
                return
            writer.write(b"HTTP/1.1 %d Any\r\nContent-Length: 0\r\n\r\n" % status)

    return speak


async def answers_by_path(server, reader, writer):
    """Answer each POST with its path, on any connection; `server.said` is on the last one."""
    while True:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if head.startswith("CONNECT"):
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            continue
        await reader.readexactly(int(head.lower().partition("content-length:")[2].split()[0]))
        server.writer = writer
        server.seen.append(head.split()[1])
        body = server.seen[-1].encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


def say(server, said, closes):
    """Let a server say something on a connection that has nothing to answer."""

    async def write():
        server.writer.write(said)
        if closes:
            server.writer.close()

    server.call(write())


IDLE_TIMEOUT = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
SECOND_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
UNASKED = [(IDLE_TIMEOUT, True), (SECOND_ANSWER, False), (b"\r\n0\r\n\r\n", False)]


@pytest.mark.parametrize("is_polled", [False, True])
@pytest.mark.parametrize("unasked", UNASKED, ids=["idle timeout", "second answer", "late rest"])
@pytest.mark.parametrize("way", ["http", "https", "proxy"])
def test_what_a_receiver_says_unasked_answers_nothing(
    tmp_path, monkeypatch, way, unasked, is_polled
):
    monkeypatch.setattr("workers.http_handle.DEAD_MAX_S", math.inf)  # however slow the machine is
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with scripted(answers_by_path, context if way == "https" else None) as server:
        origin = f"http{'s' * (way == 'https')}://127.0.0.1:{server.port}"
        proxy = origin if way == "proxy" else None
        settings = Settings(webhook_allow=LOOPBACK, send_deadline_s=60.0, webhook_proxy_url=proxy)
        with closing(Transfers(settings)) as transfers:
            for number in range(5):
                [answer] = answers(transfers, [post(f"{origin}/{number}", b"x" * 10**number)])
                assert (answer.status, answer.body) == (200, b"/%d" % number)
                say(server, *unasked)
                if is_polled:
                    assert not list(transfers.wait(0.1))
            assert server.seen == [f"/{number}" for number in range(5)], "each once"
            assert transfers._doubts.is_empty, "that is no fault of the receiver"


def test_what_is_said_unasked_is_seen_although_other_connections_were_made(transfers):
    with scripted(answers_by_path) as server, scripted(answers_by_path) as other:
        answers(transfers, [post(f"http://127.0.0.1:{server.port}/1")])
        answers(transfers, [post(f"http://127.0.0.1:{other.port}/")])
        say(server, SECOND_ANSWER, closes=False)
        [answer] = answers(transfers, [post(f"http://127.0.0.1:{server.port}/2")])
        assert answer.body == b"/2"


def test_what_an_idle_connection_of_http_2_is_told_is_libcurls_to_read(refusing, transfers):
    spoken = []

    async def script(server, http, stream, writer):
        spoken[:] = [http, writer]
        server.take(http, stream)

    async def ping():
        http, writer = spoken
        http.ping(b"are you?")
        writer.write(http.data_to_send())

    server = refusing(script)
    for number in range(5):
        [answer] = answers(transfers, [post(f"{server.url}/{number}")])
        assert answer.status == 200
        server.call(ping())
        list(transfers.wait(0.1))
    assert server.connections == 1


def test_an_answer_leaves_its_connection_to_the_next(transfers):
    with scripted(numbered([200, 404, 429, 200, 503])) as server:
        url = f"http://127.0.0.1:{server.port}/"
        for _ in range(5):
            answers(transfers, [post(url)])
        assert server.seen == [1] * 5


@pytest.mark.parametrize("status", [500, 502, 503, 421])
def test_after_a_failure_a_new_connection_is_made_until_one_answers(transfers, status):
    with scripted(numbered([200, status, status, 200, 200])) as server:
        url = f"http://127.0.0.1:{server.port}/"
        for _ in range(5):
            answers(transfers, [post(url)])
        assert len(set(server.seen[-4:])) >= 3


def test_a_failure_is_known_to_the_other_threads():
    doubts = Doubts()
    one, other = (Transfers(Settings(webhook_allow=LOOPBACK), doubts=doubts) for _ in range(2))
    with scripted(numbered([200, 200, 500])) as server:
        url = f"http://127.0.0.1:{server.port}/"
        for transfers in (one, other, one, other):
            answers(transfers, [post(url)])
        assert server.seen == [1, 2, 1, 3]
    one.close()
    other.close()


def test_no_connection_from_before_a_failure_is_used_again_and_the_younger_are():
    doubts = Doubts()
    age_max_s = partial(doubts.age_max_s, shares=False)
    assert age_max_s("a", 100.0) == LIFETIME_S
    doubts.failed("a", 100.0)
    assert age_max_s("a", 500.0) == 0  # nobody has answered
    doubts.answered("a")
    assert age_max_s("a", 100.5) == 0
    assert age_max_s("a", 107.9) == 7
    assert age_max_s("b", 107.9) == LIFETIME_S
    assert age_max_s("a", 161.0) == LIFETIME_S
    assert not doubts._known


def test_what_shares_a_connection_gets_one_new_one_a_second():
    doubts = Doubts()
    doubts.failed("a", 100.0)
    ages = [doubts.age_max_s("a", at, shares=True) for at in (100.2, 100.3, 101.1, 101.3, 103.0)]
    assert ages == [0, 1, 1, 0, 0]


def test_a_burst_after_a_failure_shares_connections(refusing, transfers):
    async def script(server, http, stream, _):
        if server.waiting == 2:
            http.send_headers(stream, [(":status", "500")], end_stream=True)
        else:
            server.take(http, stream)

    server = refusing(script)
    for _ in range(2):
        answers(transfers, [post(server.url)])
    found = answers(transfers, [post(f"{server.url}/{n}") for n in range(60)])
    assert {answer.status for answer in found} == {200}
    assert server.connections < 10


def test_doubts_are_bounded():
    doubts = Doubts()
    for number in range(KNOWN_MAX + 10):
        doubts.failed(str(number), 0.0)
    assert len(doubts._known) == KNOWN_MAX


def test_a_connection_lives_for_a_minute(transfers, monkeypatch):
    for module in ("curl_handle", "transfers"):
        monkeypatch.setattr(f"workers.{module}.LIFETIME_S", 1)
    with scripted(numbered([])) as server:
        url = f"http://127.0.0.1:{server.port}/"
        used = 0
        while len(set(server.seen)) < 2:  # it does not live for ever
            answers(transfers, [post(url)])
            used += 1
        assert used > 2
