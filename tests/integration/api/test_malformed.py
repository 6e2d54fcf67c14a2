"""What is no request as we read it: whoever refuses it, the answer is a problem."""

import json
import socket

import pytest

from tests.integration.api.serving import LIMIT_S, Api

LOCAL = b"Host: localhost\r\n"
MALFORMED = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "words": b"hello\r\n\r\n",
    "another version": b"GET / HTTP/9.9\r\n" + LOCAL + b"\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an unknown method": b"FOO / HTTP/1.1\r\n" + LOCAL + b"\r\n",
    "a broken URL": b"GET http://[::1/x HTTP/1.1\r\n" + LOCAL + b"\r\n",
    "a port that is none": b"GET http://localhost:99999/ HTTP/1.1\r\n" + LOCAL + b"\r\n",
    "a host that is no name": b"GET http://xn--/ HTTP/1.1\r\n" + LOCAL + b"\r\n",
    "a proxy's host that is no name": b"CONNECT xn--a:443 HTTP/1.1\r\n" + LOCAL + b"\r\n",
    "bytes in the path": b"GET /\xff\xfe?\xff HTTP/1.1\r\n" + LOCAL + b"\r\n",
    "no Host": b"GET /readyz HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET /readyz HTTP/1.1\r\n" + LOCAL + LOCAL + b"\r\n",
    "a long request line": b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n" + LOCAL + b"\r\n",
    "a long header": b"GET / HTTP/1.1\r\n" + LOCAL + b"X: " + b"a" * 9000 + b"\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\n" + LOCAL + b"X: 1\r\n" * 150 + b"\r\n",
    "a nameless header": b"GET / HTTP/1.1\r\n" + LOCAL + b": x\r\n\r\n",
    "NUL in a header": b"GET / HTTP/1.1\r\n" + LOCAL + b"X: a\x00b\r\n\r\n",
    "a length in words": b"POST /notify HTTP/1.1\r\n" + LOCAL + b"Content-Length: x\r\n\r\n",
    "a negative length": b"POST /notify HTTP/1.1\r\n" + LOCAL + b"Content-Length: -1\r\n\r\n",
    "two lengths": b"POST /notify HTTP/1.1\r\n" + LOCAL
    + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a broken chunk": b"POST /notify HTTP/1.1\r\n" + LOCAL
    + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
}  # fmt: skip
OTHER = {
    "no path": (b"OPTIONS * HTTP/1.1\r\n" + LOCAL + b"\r\n", "not_found"),
    "half an escape": (b"GET /%zz HTTP/1.1\r\n" + LOCAL + b"\r\n", "not_found"),
    "an absolute URL": (b"GET http://localhost/nope HTTP/1.1\r\n" + LOCAL + b"\r\n", "not_found"),
    "an upgrade": (b"GET /nope HTTP/1.1\r\n" + LOCAL
                   + b"Upgrade: websocket\r\nConnection: upgrade\r\n\r\n", "not_found"),
    "a proxy's method": (b"CONNECT x:1 HTTP/1.1\r\n" + LOCAL + b"\r\n", "foreign_host"),
    "an expectation": (b"POST /notify HTTP/1.1\r\n" + LOCAL
                       + b"Expect: tea\r\nContent-Length: 2\r\n\r\n{}", "expectation_failed"),
    "an expectation nowhere": (b"GET /nope HTTP/1.1\r\n" + LOCAL + b"Expect: tea\r\n\r\n",
                               "expectation_failed"),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_not_http_is_a_problem(name: str, api: Api) -> None:
    assert code(api, MALFORMED[name]) == "malformed_request"


@pytest.mark.parametrize("name", OTHER)
def test_what_no_handler_sees_is_a_problem(name: str, api: Api) -> None:
    raw, expected = OTHER[name]
    assert code(api, raw) == expected


def code(api: Api, raw: bytes) -> str:
    """Send bytes as they are; give the code of the problem that comes back."""
    with socket.create_connection(("127.0.0.1", api.port), timeout=LIMIT_S) as wire:
        wire.sendall(raw)
        head, body = answer(wire)
    fields = head.decode().lower().split("\r\n")
    assert "content-type: application/problem+json" in fields
    assert "x-content-type-options: nosniff" in fields
    document = json.loads(body)
    assert f" {document['status']} ".encode() in head.split(b"\r\n")[0]
    return str(document["code"])


def answer(wire: socket.socket) -> tuple[bytes, bytes]:
    """Read one answer by its Content-Length."""
    read = b""
    while b"\r\n\r\n" not in read:
        read += received(wire)
    head, _, body = read.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += received(wire)
    return head, body


def received(wire: socket.socket) -> bytes:
    """Receive something."""
    data = wire.recv(65536)
    assert data, "closed before the answer was whole"
    return data
