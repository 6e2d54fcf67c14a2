"""The port of /metrics of a worker and a dispatcher: the same doors as the API's."""

import asyncio
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from service.cli.metrics_port import listener, metrics_served
from service.config.settings import Settings
from service.errors import StartError
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
