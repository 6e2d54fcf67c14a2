"""The port of /metrics of a worker and a dispatcher: the same doors as the API's."""

import asyncio
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count as counting

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from service.cli.metrics_port import listener, metrics_served
from service.config.settings import Settings
from service.errors import StartError
from service.http.metrics_page import MetricsPage
from tests.integration.api.test_serving import talk

LIMIT_S = 10.0
HEAD = "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{}\r\n"


def asked(*requests: bytes) -> list[bytes]:
    """Serve, and give what each request is answered."""
    sock = socket.create_server(("127.0.0.1", 0))
    port = sock.getsockname()[1]

    async def serve() -> list[bytes]:
        is_served = threading.Event()
        serving = asyncio.create_task(metrics_served(Settings(), sock, is_served))
        assert await asyncio.to_thread(is_served.wait, LIMIT_S)
        answers = [await asyncio.to_thread(talk, port, request) for request in requests]
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving
        return answers

    return asyncio.run(serve())


@pytest.mark.parametrize(
    ("host", "more", "status"),
    [
        ("localhost:9100", "", b"200"),
        ("evil.example", "", b"421"),
        ("localhost", "Content-Encoding: gzip\r\nContent-Length: 3\r\n", b"415"),
    ],
)
def test_the_metrics_are_served_to_those_who_may_call(host: str, more: str, status: bytes) -> None:
    [answer] = asked(HEAD.format("/metrics", host, more).encode() + b"abc" * bool(more))
    assert answer[9:12] == status
    assert b"nosniff" in answer
    assert (b"# HELP" in answer) is (status == b"200")


@pytest.mark.parametrize(
    ("takes_s", "asked_at", "shown"),
    [
        (0.03, [5.0, 5.1, 5.32, 5.34, 5.6], [1, 1, 1, 2, 2]),  # ten times what it took
        (3.0, [5.0, 8.9, 9.1], [1, 1, 2]),  # a second at most
    ],
)
def test_who_asks_soon_is_shown_the_same_page(takes_s, asked_at, shown) -> None:
    pages, clock = counting(1), [0.0]

    async def write(_: web.Request) -> web.Response:
        clock[0] += takes_s
        return web.Response(text=f"{next(pages)}")

    async def ask() -> list[str | None]:
        page = MetricsPage(write, now=lambda: clock[0])
        answers = []
        for at in asked_at:
            clock[0] = at
            answers.append(await page.show(make_mocked_request("GET", "/metrics")))
        return [answer.text for answer in answers]

    assert asyncio.run(ask()) == [str(number) for number in shown]


def test_each_format_has_a_page_of_its_own() -> None:
    other = "Accept: a/b, application/openmetrics-text;version=1.0.0;q=0.5\r\n"
    plain = "Accept: application/openmetrics-text2\r\n"
    asks = [HEAD.format("/metrics", "localhost", more).encode() for more in (plain, other, "")]
    first, second, third = asked(*asks)
    assert b"Content-Type: application/openmetrics-text" in second
    assert second.endswith(b"# EOF\n")
    assert b"Content-Type: text/plain" in first and b"Content-Type: text/plain" in third
    assert b"# HELP" in first and b"# HELP" in third


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_two_that_start_at_once_never_have_the_same_port(host: str) -> None:
    with listener(host, 39100) as one, listener(host, 39100) as other:
        assert one.getsockname()[1] != other.getsockname()[1]
        assert other.getsockname()[1] < 39200


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "0.0.0.0", "::"])
@pytest.mark.parametrize("count", [2, 5])
def test_those_that_start_in_the_same_moment_all_listen_each_on_a_port_of_its_own(host, count):
    with socket.create_server(("127.0.0.1", 0)) as others:
        wanted = min(others.getsockname()[1], 65000)
        for _ in range(20):
            start = threading.Barrier(count)

            def listen(_: int, start: threading.Barrier = start) -> socket.socket:
                start.wait(LIMIT_S)
                return listener(host, wanted)

            with ThreadPoolExecutor(count) as pool:
                found = list(pool.map(listen, range(count)))
            assert len({sock.getsockname()[1] for sock in found}) == count
            for sock in found:
                socket.create_connection(sock.getsockname()[:2], LIMIT_S).close()
                sock.close()


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid", "2001:db8::1"])
def test_a_wrong_address_is_told_as_such(host: str) -> None:
    with pytest.raises(StartError, match=f"HOST={host}: cannot listen there"):
        listener(host, 39100)
