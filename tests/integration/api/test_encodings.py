"""Bodies that are compressed are refused on every path, and no byte of them is inflated."""

import gzip
import json
from io import StringIO

import pytest
from aiohttp.http_parser import DeflateBuffer

from service.inbox.inbox import Inbox
from tests.integration.api.serving import LINE, Api
from tests.integration.api.test_serving import talk

BODY = json.dumps(LINE).encode()
PATHS = [
    ("POST", "/notify"),
    ("POST", "/cancel"),
    ("POST", "/redrive"),
    ("POST", "/destinations/probe"),
    ("POST", "/notifications/01a202f8-7610-7e1c-908b-be00881bc450/cancel"),
    ("GET", "/notifications"),
    ("GET", "/metrics"),
    ("GET", "/docs"),
    ("GET", "/"),
    ("GET", "/healthz"),
    ("POST", "/no/such/path"),
    ("OPTIONS", "/notify"),
    ("DELETE", "/notify"),
]


@pytest.fixture
def no_inflating(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let aiohttp's way to inflate a body fail."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a body was inflated")

    monkeypatch.setattr(DeflateBuffer, "__init__", refuse)


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_a_compressed_body_is_refused_on_every_path(
    method: str, path: str, api: Api, no_inflating: None
) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = api.ask(method, path, gzip.compress(BODY), **headers)
    assert (answer.status, answer.json["code"]) == (415, "unsupported_content_encoding")


@pytest.mark.parametrize(
    "header",
    ["Content-Encoding: gzip", "content-encoding: GZIP", "Content-Encoding: deflate",
     "Content-Encoding: br", "Content-Encoding: zstd", "Content-Encoding: x-gzip",
     "Content-Encoding: identity, gzip", "Content-Encoding: identity\r\nContent-Encoding: gzip",
     "Content-Encoding: rot13", "Transfer-Encoding: gzip, chunked",
     "Transfer-Encoding: deflate, chunked"],
)  # fmt: skip
def test_no_encoding_is_taken_and_none_is_decoded(
    header: str, api: Api, no_inflating: None
) -> None:
    body = gzip.compress(BODY)
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    length = "" if header.startswith("Transfer") else "Transfer-Encoding: chunked\r\n"
    head = (
        "POST /notify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Connection: close\r\n{length}{header}\r\n\r\n"
    )
    answer = talk(api.port, head.encode() + chunked)
    assert answer.startswith((b"HTTP/1.1 415 ", b"HTTP/1.0 400 ", b"HTTP/1.1 400 ")), answer
    assert api.metric("api_jobs_enqueued_total", channel="log") == 0


@pytest.mark.parametrize("encoding", ["identity", "Identity", ""])
def test_a_body_as_it_is_may_say_so(encoding: str, api: Api) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    assert api.ask("POST", "/notify", BODY, **headers).status == 202


def test_a_client_that_asks_first_is_refused_before_it_sends(api: Api) -> None:
    head = (
        b"POST /notify HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\n"
        b"Content-Length: 1000000000\r\nExpect: 100-continue\r\n\r\n"
    )
    assert talk(api.port, head).startswith(b"HTTP/1.1 415 ")


def test_the_inbox_refuses_them_too(api: Api, no_inflating: None) -> None:
    out = StringIO()
    inbox = Inbox(http_port=0, smtp_port=0, out=out)
    api.run(inbox.start())
    try:
        head = b"POST /hook HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\n"
        body = gzip.compress(BODY)
        request = head + b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        assert talk(inbox.http_port, request).startswith(b"HTTP/1.1 415 ")
    finally:
        api.run(inbox.stop())
    assert "hook" not in out.getvalue()


@pytest.mark.parametrize("path", ["/nowhere", "/notify", "/notifications/x/cancel"])
def test_a_body_that_nobody_reads_ends_the_connection(path: str, api: Api) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000000\r\n\r\n"
    answer = talk(api.port, head.encode() + b"x" * 1000)
    assert answer[9:12] in (b"404", b"413", b"415")
