"""Transfers of one thread against servers that close, hang up, say 421 or speak HTTP/2."""

import asyncio
import math
import os
import resource
import socket
import ssl
import threading
from contextlib import closing, contextmanager, suppress

import pycurl
import pytest

from service.config.settings import Settings
from service.model.words import Outcome
from service.names.guard import LOOPBACK
from tests.integration.workers.ending import end
from tests.integration.workers.secure import Secure
from tests.waiting import wait_for
from workers.channels.channel import Mail, Post
from workers.channels.webhook import WebhookChannel
from workers.http_handle import HttpHandle
from workers.shortage import Short
from workers.transfers import Transfers

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def transfers(monkeypatch):
    monkeypatch.setattr("workers.http_handle.DEAD_MAX_S", math.inf)  # however slow the machine is
    transfers = Transfers(
        Settings(webhook_allow=LOOPBACK, send_deadline_s=5.0, smtp_url="smtp://127.0.0.1:1")
    )
    yield transfers
    transfers.close()


def post(url, body=b"{}"):
    return Post(url=url, headers=["Expect:"], body=body)


def answers(transfers, made):
    """Start transfers, and give their answers by place."""
    found = {}
    for place, transfer in enumerate(made):
        assert transfers.start(transfer, place) is None
    while len(found) < len(made):
        found.update(transfers.wait(0.1))
    return [found[place] for place in range(len(made))]


class Scripted:
    """A server whose connections each follow a script: what to do with the n-th request."""

    def __init__(self, speak, context=None):
        self.seen = []  # the number of each request on its connection
        self.speak = speak
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.server = self.call(asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=context))
        self.port = self.server.sockets[0].getsockname()[1]

    def call(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    async def serve(self, reader, writer):
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self.speak(self, reader, writer)
        writer.close()

    def close(self):
        self.call(end(self.server))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@contextmanager
def scripted(speak, context=None):
    server = Scripted(speak, context)
    try:
        yield server
    finally:
        server.close()


def http(on_second):
    """Answer the first request of a connection, and do something else with the second."""

    async def speak(server, reader, writer):
        for number in range(1, 100):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            await reader.readexactly(int(head.partition("content-length:")[2].split()[0]))
            server.seen.append(number)
            if number == 2:
                on_second(writer)
                return
            writer.write(OK)

    return speak


def hang_up(writer):
    writer.close()


def reset(writer):
    writer.transport.abort()


def misdirected(writer):
    writer.write(b"HTTP/1.1 421 Misdirected Request\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize("on_second", [hang_up, reset, misdirected])
def test_a_used_connection_that_nobody_serves_costs_no_attempt(transfers, on_second):
    with scripted(http(on_second)) as server:
        url = f"http://127.0.0.1:{server.port}/"
        for body in (b"{}", b'{"n":1}', b"x" * 200_000):
            [answer] = answers(transfers, [post(url, body)])
            assert (answer.error, answer.status) == (0, 200), answer
        assert server.seen[:3] == [1, 2, 1]


@pytest.mark.parametrize("on_first", [hang_up, reset])
def test_a_new_connection_that_breaks_is_an_answer(transfers, on_first):
    async def speak(server, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        server.seen.append(1)
        on_first(writer)

    with scripted(speak) as server:
        [answer] = answers(transfers, [post(f"http://127.0.0.1:{server.port}/")])
        assert answer.status == 0
        assert answer.error in (pycurl.E_GOT_NOTHING, pycurl.E_RECV_ERROR)
        assert server.seen == [1]


def test_a_transfer_begins_anew_only_once(transfers):
    opened = []

    async def speak(server, reader, writer):
        opened.append(writer)
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            await reader.readexactly(int(head.partition("content-length:")[2].split()[0]))
            server.seen.append(len(opened))
            if len(server.seen) > 1:
                return
            writer.write(OK)

    with scripted(speak) as server:
        url = f"http://127.0.0.1:{server.port}/"
        assert answers(transfers, [post(url)])[0].status == 200
        [answer] = answers(transfers, [post(url)])
        assert (answer.status, bool(answer.error)) == (0, True)
        assert server.seen == [1, 1, 2]


def test_what_must_not_be_sent_any_more_does_not_begin_anew(transfers, monkeypatch):
    asked = []
    monkeypatch.setattr(transfers, "_may_begin", lambda *args: asked.append(args))
    with scripted(http(hang_up)) as server:
        url = f"http://127.0.0.1:{server.port}/"
        assert answers(transfers, [post(url)])[0].status == 200
        [answer] = answers(transfers, [post(url)])
        assert (answer.status, answer.is_late) == (0, True), "which blames nobody"
        assert server.seen == [1, 2]
    [(tag, left_s, has_begun)] = asked
    assert (tag, has_begun) == (0, True)
    assert 0 < left_s <= 5.0


def test_a_partial_answer_on_a_used_connection_is_no_reason_to_begin_anew(transfers):
    def half(writer):
        writer.write(b"HTTP/1.1 500 No\r\nContent-Le")
        writer.close()

    with scripted(http(half)) as server:
        url = f"http://127.0.0.1:{server.port}/"
        answers(transfers, [post(url)])
        [answer] = answers(transfers, [post(url)])
        assert answer.status == 500
        assert server.seen == [1, 2]


def says(part):
    def close_after(writer):
        writer.write(part)
        writer.close()

    return close_after


OUT_OF_STEP = [b"0\r\n\r\n", b"\r\n", b"ok", b"HTTP/1.1 x\r\n"]


@pytest.mark.parametrize("part", OUT_OF_STEP)
def test_the_late_end_of_the_answer_before_is_no_answer(transfers, part):
    with scripted(http(lambda writer: writer.write(part + OK))) as server:
        url = f"http://127.0.0.1:{server.port}/"
        answers(transfers, [post(url)])
        [answer] = answers(transfers, [post(url)])
        assert (answer.error, answer.status) == (0, 200)
        assert transfers._doubts.is_empty
        assert server.seen == [1, 2, 1]


@pytest.mark.parametrize("part", OUT_OF_STEP)
def test_what_is_no_http_on_a_new_connection_is_an_answer(transfers, part):
    async def speak(server, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        server.seen.append(1)
        writer.write(part + OK)
        await reader.read()

    with scripted(speak) as server:
        answers(transfers, [post(f"http://127.0.0.1:{server.port}/")])
        assert server.seen == [1]


PARTS = [b"", b"H", b"HTTP/1.1 2", b"HTTP/1.1 200 OK"]


@pytest.mark.parametrize("part", PARTS)
def test_a_used_connection_that_ends_late_was_served(transfers, monkeypatch, part):
    monkeypatch.setattr("workers.http_handle.DEAD_MAX_S", 0.0)  # whenever it ends, it is late
    with scripted(http(says(part))) as server:
        url = f"http://127.0.0.1:{server.port}/"
        answers(transfers, [post(url)])
        [answer] = answers(transfers, [post(url)])
        verdict = WebhookChannel(Settings()).judge(answer)
        assert (verdict.outcome, verdict.code) == (Outcome.UNKNOWN, "no_answer")
        assert server.seen == [1, 2]


@pytest.mark.parametrize("part", PARTS)
def test_half_a_line_at_once_looks_like_a_dead_connection(transfers, part):
    with scripted(http(says(part))) as server:
        url = f"http://127.0.0.1:{server.port}/"
        answers(transfers, [post(url)])
        [answer] = answers(transfers, [post(url)])
        assert answer.status == 200
        assert server.seen == [1, 2, 1]


def test_silence_on_a_used_connection_is_no_reason_to_begin_anew():
    silent = Transfers(Settings(webhook_allow=LOOPBACK, send_deadline_s=0.5))

    async def speak(server, reader, writer):
        while True:
            await reader.readuntil(b"\r\n\r\n")
            server.seen.append(1)
            if len(server.seen) == 1:
                await reader.readexactly(2)
                writer.write(OK)

    with scripted(speak) as server:
        url = f"http://127.0.0.1:{server.port}/"
        answers(silent, [post(url)])
        [answer] = answers(silent, [post(url)])
        assert answer.error == pycurl.E_OPERATION_TIMEDOUT
        assert len(server.seen) == 2
    silent.close()


def test_each_answer_is_its_own_whatever_came_before_on_its_handle(transfers):
    script = [
        (200, b"ok", None),
        (200, b"", None),
        (404, b"gone", None),
        (200, b"", None),
        (302, b"", None),
        (302, b"elsewhere", None),
        (404, b"", None),
        (429, b"", 7),
        (201, b"", None),
    ]

    async def speak(server, reader, writer):
        for status, body, asked_s in script:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            await reader.readexactly(int(head.partition("content-length:")[2].split()[0]))
            server.seen.append(status)
            retry_after = f"Retry-After: {asked_s}\r\n" if asked_s else ""
            lines = f"HTTP/1.1 {status} Fine\r\n{retry_after}Content-Length: {len(body)}\r\n\r\n"
            writer.write(lines.encode() + body)

    with scripted(speak) as server:
        came = [answers(transfers, [post(f"http://127.0.0.1:{server.port}/")])[0] for _ in script]
        assert server.seen == [status for status, _, _ in script]
    assert [(answer.status, answer.body, answer.retry_after_s) for answer in came] == script
    assert {(answer.error, answer.error_text, answer.handed_over) for answer in came} == {
        (0, "", False)
    }


@pytest.mark.parametrize("size", [4096, 5000, 65_535])
def test_a_connection_outlives_answers_up_to_64_kib(transfers, size):
    async def speak(server, reader, writer):
        for number in range(1, 100):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            await reader.readexactly(int(head.partition("content-length:")[2].split()[0]))
            server.seen.append(number)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)

    with scripted(speak) as server:
        url = f"http://127.0.0.1:{server.port}/"
        for _ in range(3):
            [answer] = answers(transfers, [post(url)])
            assert (answer.error, answer.status, len(answer.body)) == (0, 200, 4096)
        assert server.seen == [1, 2, 3]


def test_a_longer_answer_ends_its_connection_and_no_more(transfers):
    async def speak(server, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        server.seen.append(1)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    with scripted(speak) as server:
        for _ in range(2):
            [answer] = answers(transfers, [post(f"http://127.0.0.1:{server.port}/")])
            assert (answer.error, answer.status, len(answer.body)) == (0, 200, 4096)
        assert len(server.seen) == 2


@pytest.fixture
def secure(tmp_path, monkeypatch):
    made = []

    def start(*protocols, **chosen):
        made.append(Secure(tmp_path, *protocols, **chosen))
        monkeypatch.setenv("SSL_CERT_FILE", str(made[-1].authority))
        return made[-1]

    yield start
    for server in made:
        server.close()


def test_what_waited_for_a_first_connection_is_asked_whether_it_may_begin(
    secure, transfers, monkeypatch
):
    asked = []
    monkeypatch.setattr(transfers, "_may_begin", lambda tag, *_: asked.append(tag))
    server = secure("h2", "http/1.1")
    found = answers(transfers, [post(f"{server.url}/{n}") for n in range(3)])
    assert [(answer.status, answer.is_late) for answer in found] == [
        (200, False), (0, True), (0, True),
    ]  # fmt: skip
    assert asked == [1, 1, 2, 2]  # for all of its time, then for what is left of it
    assert server.requests == 1


def test_what_waited_for_a_first_connection_and_has_a_short_lease_has_what_is_left(
    secure, transfers, monkeypatch
):
    asked = []
    monkeypatch.setattr(
        transfers, "_may_begin", lambda _, left_s, __: asked.append(left_s) or left_s < 5.0
    )
    server = secure("h2", "http/1.1")
    found = answers(transfers, [post(f"{server.url}/{n}") for n in range(3)])
    assert [answer.status for answer in found] == [200] * 3
    assert asked[0::2] == [5.0] * 2
    assert all(0 < left_s < 5.0 for left_s in asked[1::2])


def test_what_waited_for_a_first_connection_has_all_of_its_time(secure, transfers, monkeypatch):
    asked, begun = [], []
    begin = HttpHandle.begin

    def note(handle, transfer, left_s, age_max_s):
        begun.append(left_s)
        begin(handle, transfer, left_s, age_max_s)

    monkeypatch.setattr(transfers, "_may_begin", lambda _, *asks: asked.append(asks) or True)
    monkeypatch.setattr(HttpHandle, "begin", note)
    server = secure("h2", "http/1.1")
    answers(transfers, [post(f"{server.url}/{n}") for n in range(3)])
    assert asked == [(5.0, False)] * 2
    assert begun == [None, 5.0, 5.0]  # None: all


@pytest.mark.parametrize("hold", [0, 100])
def test_a_burst_over_http_2_shares_connections(secure, transfers, hold):
    server = secure("h2", "http/1.1", hold=hold)
    found = answers(transfers, [post(f"{server.url}/{n}") for n in range(200)])
    assert {(answer.error, answer.status) for answer in found} == {(0, 200)}
    assert server.connections <= 3  # a hundred streams each


def test_a_burst_over_http_1_1_is_served_side_by_side(secure, transfers):
    server = secure("http/1.1", hold=60)
    found = answers(transfers, [post(f"{server.url}/{n}") for n in range(60)])
    assert {(answer.error, answer.status) for answer in found} == {(0, 200)}
    assert server.connections == 60


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tickets_for_tls_cost_no_connection(secure, transfers, version):
    server = secure("http/1.1", version=version)
    for number in range(20):
        [answer] = answers(transfers, [post(f"{server.url}/{number}")])
        assert answer.status == 200
        list(transfers.wait(0.01))
    assert server.connections == 1


def test_a_burst_to_nobody_ends_together(transfers):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{nobody.getsockname()[1]}/"
        found = answers(transfers, [post(f"{url}{n}") for n in range(50)])
    assert {answer.error for answer in found} == {pycurl.E_COULDNT_CONNECT}


def test_what_waits_for_a_first_connection_is_cut_off_with_the_rest(secure, transfers):
    server = secure("h2", hold=10)
    for number in range(5):
        assert transfers.start(post(f"{server.url}/{number}"), number) is None
    assert sorted(transfers.abort()) == [0, 1, 2, 3, 4]


def test_what_waits_for_a_first_connection_never_left(transfers):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        for number in range(5):
            assert transfers.start(post(f"{url}{number}"), number) is None
        assert transfers.unbegun() == [1, 2, 3, 4]
        assert transfers.abort() == [0]


def smtp(on_second):
    """Take one mail on a connection; do something else when a second one begins."""

    async def speak(server, reader, writer):
        writer.write(b"220 hello\r\n")
        mails = 0
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"MAIL":
                mails += 1
                server.seen.append(mails)
                if mails == 2:
                    on_second(writer)
                    return
            if verb == b"DATA":
                writer.write(b"354 go on\r\n")
                while await reader.readline() != b".\r\n":
                    pass
            writer.write(b"250 fine\r\n")

    return speak


def too_many(writer):
    writer.write(b"421 too many mails on this connection\r\n")


@pytest.mark.parametrize("on_second", [hang_up, reset, too_many])
def test_a_used_mail_connection_that_ends_costs_no_attempt(on_second):
    with scripted(smtp(on_second)) as server:
        settings = Settings(send_deadline_s=5.0, smtp_url=f"smtp://127.0.0.1:{server.port}")
        mails = Transfers(settings)
        for _ in range(3):
            mail = Mail(mail_from="a@a.example", mail_to="b@b.example", body=b"S: t\r\n\r\nt\r\n")
            [answer] = answers(mails, [mail])
            assert (answer.error, answer.status) == (0, 250)
        assert server.seen == [1, 2, 1, 2, 1]
        mails.close()


@pytest.mark.parametrize("said", [b"421 idle\r\n", b"250 fine\r\n", b"451 no\r\n", b"250 fi"])
def test_what_a_mail_server_says_unasked_answers_no_mail(said):
    connections = []

    async def speak(server, reader, writer):
        connections.append(writer)
        await smtp(hang_up)(server, reader, writer)

    async def say():
        connections[-1].write(said)

    with scripted(speak) as server:
        settings = Settings(send_deadline_s=5.0, smtp_url=f"smtp://127.0.0.1:{server.port}")
        with closing(Transfers(settings)) as mails:
            for _ in range(3):
                mail = Mail(
                    mail_from="a@a.example", mail_to="b@b.example", body=b"S: t\r\n\r\nt\r\n"
                )
                [answer] = answers(mails, [mail])
                assert (answer.error, answer.status) == (0, 250)
                server.call(say())
            assert server.seen == [1, 1, 1], "each on a connection of its own"
            assert mails._doubts.is_empty


@contextmanager
def no_descriptors():
    """Use up what this process may open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    top = os.open(os.devnull, os.O_RDONLY)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, top + 50), hard))
    taken = [top]
    try:
        while True:
            try:
                taken.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                break
        yield
    finally:
        for fd in taken:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "https://127.0.0.1:9/", "http://h.test/"])
def test_a_transfer_without_a_descriptor_says_what_was_lacking(transfers, url):
    with no_descriptors():
        [answer] = answers(transfers, [post(url)])
    assert answer.short_of is Short.DESCRIPTORS


def test_a_mail_without_a_descriptor_says_what_was_lacking(transfers):
    mail = Mail(mail_from="a@a.example", mail_to="b@b.example", body=b"S: t\r\n\r\nt\r\n")
    with no_descriptors():
        [answer] = answers(transfers, [mail])
    assert answer.short_of is Short.DESCRIPTORS


@pytest.mark.parametrize("error", [MemoryError(), OSError(), pycurl.error(27, "Out of memory")])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_shortage_at_the_first_transfer_stops_none_that_follow(
    transfers, monkeypatch, scheme, error
):
    def short(_):
        raise error

    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"{scheme}://127.0.0.1:{nobody.getsockname()[1]}/"
        with monkeypatch.context() as patched:
            patched.setattr(transfers, "_handle_for", short)
            assert transfers.start(post(url), 0).short_of is Short.MEMORY
        assert transfers.start(post(url), 1) is None
        assert transfers.start(post(url), 2) is None
        found = set()
        wait_for(lambda: found.update(tag for tag, _ in transfers.wait(0.1)) or found == {1, 2}, 5)


def test_a_port_that_refuses_is_no_shortage(transfers):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        [answer] = answers(transfers, [post(f"http://127.0.0.1:{nobody.getsockname()[1]}/")])
    assert answer.error == pycurl.E_COULDNT_CONNECT
    assert answer.short_of is None
