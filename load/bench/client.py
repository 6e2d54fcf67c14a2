"""A closed-loop HTTP client: each connection sends its next POST when the answer is there.

    python -m load.bench.client URL --connections 64 --seconds 5     prints one JSON object
    … --items 1000      posts arrays of so many to POST /notify/batch
    … --body JSON       posts this notification; else one of channel `log`
    … --keys            gives each request an Idempotency-Key of its own

A bare uvloop Protocol: some 10 microseconds a request, so that the server is what is measured.
"""

import argparse
import asyncio
import itertools
import json
import os
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import uvloop

BODY = b'{"channel": "log", "recipient": "bench", "payload": {"text": "hello", "number": 42}}'
LENGTH = b"content-length: "
WHOLE_BATCH = b',"refused":0,'


class Connection(asyncio.Protocol):
    """One connection; `took_s` has a time for each 202, or each batch that was accepted whole."""

    def __init__(self, request: Callable[[], bytes], ends: float) -> None:
        self.request = request
        self.ends = ends
        self.took_s: list[float] = []
        self.refused = 0
        self.buffer = b""
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self.transport: Any = transport  # uvloop's is no subclass of asyncio's
        self.send()

    def send(self) -> None:
        """Send a request."""
        self.sent_at = time.perf_counter()
        self.transport.write(self.request())

    def data_received(self, data: bytes) -> None:
        """Count a whole answer, and go on until the time has passed."""
        self.buffer += data
        if not is_whole(self.buffer):
            return
        now = time.perf_counter()
        if self.buffer.startswith(b"HTTP/1.1 202") or WHOLE_BATCH in self.buffer:
            self.took_s.append(now - self.sent_at)
        else:
            self.refused += 1
        self.buffer = b""
        if now < self.ends:
            self.send()
        else:
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        """Let the caller know; a request without an answer is a refused one."""
        self.refused += bool(self.buffer or error)
        if not self.closed.done():
            self.closed.set_result(None)


def is_whole(answer: bytes) -> bool:
    """Tell whether the body is there as well."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    at = answer.lower().find(LENGTH, 0, end)
    size = int(answer[at + len(LENGTH) : answer.find(b"\r\n", at)]) if at >= 0 else 0
    return len(answer) >= end + 4 + size


def requests(head: bytes, body: bytes, has_keys: bool) -> Callable[[], bytes]:
    """Make what gives the next request."""
    if not has_keys:
        request = b"%b\r\n%b" % (head, body)
        return lambda: request
    run, numbers = os.urandom(12).hex().encode(), itertools.count()
    return lambda: b"%bIdempotency-Key: %b-%011d\r\n\r\n%b" % (head, run, next(numbers), body)


async def post_for(
    url: str, one: bytes, *, connections: int, seconds: float, items: int, has_keys: bool
) -> dict[str, float]:
    """Send for so long; returns counts, the rate of notifications and the times of requests."""
    parts = urlsplit(url)
    body = b"[%b]" % b",".join([one] * items) if items else one
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    ).encode()
    request = requests(head, body, has_keys)
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    pairs = [
        await loop.create_connection(
            lambda: Connection(request, began + seconds), parts.hostname or "", parts.port or 80
        )
        for _ in range(connections)
    ]
    await asyncio.wait_for(asyncio.gather(*(client.closed for _, client in pairs)), seconds + 30)
    lasted_s = time.perf_counter() - began
    took_ms = sorted(took * 1000 for _, client in pairs for took in client.took_s)
    return {
        "accepted": len(took_ms) * (items or 1),
        "refused": sum(client.refused for _, client in pairs),
        "rate": len(took_ms) * (items or 1) / lasted_s,
        "p50_ms": took_ms[len(took_ms) // 2] if took_ms else 0.0,
        "p99_ms": took_ms[len(took_ms) * 99 // 100] if took_ms else 0.0,
    }


def main() -> None:
    """Parse the arguments, send, print."""
    parser = argparse.ArgumentParser(prog="python -m load.bench.client")
    parser.add_argument("url")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--items", type=int, default=0, metavar="N", help="of each batch")
    parser.add_argument("--body", default=BODY.decode(), metavar="JSON", help="a notification")
    parser.add_argument("--keys", action="store_true", help="an Idempotency-Key each")
    args = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        work = post_for(
            args.url,
            args.body.encode(),
            connections=args.connections,
            seconds=args.seconds,
            items=args.items,
            has_keys=args.keys,
        )
        print(json.dumps(runner.run(work)))


if __name__ == "__main__":
    main()
