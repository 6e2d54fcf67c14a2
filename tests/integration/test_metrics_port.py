"""The port of /metrics of a worker and a dispatcher: the same doors as the API's."""

import asyncio
import socket
import threading
from contextlib import suppress

import pytest

from service.cli.running import metrics_served
from service.config import Settings
from tests.integration.api.test_serving import talk

LIMIT_S = 10.0
HEAD = "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{}\r\n"


def asked(*requests: bytes) -> list[bytes]:
    """Serve, and give what each request is answered."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]

    async def serve() -> list[bytes]:
        is_served = threading.Event()
        serving = asyncio.create_task(metrics_served(Settings(), listening, is_served))
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
