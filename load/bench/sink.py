"""A receiver far faster than what it measures: answers every POST 200 and counts.

    python -m load.bench.sink [--delay SECONDS]     prints its port; runs until stopped

GET /counts says what arrived, GET /ids which, GET /forget starts anew. A body with "sent_ns" (the
sender's clock, nanoseconds since 1970) is timed.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import signal
import time
from typing import Any

import uvloop

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
WEBHOOK_ID = b"\r\nwebhook-id: "
SIGNATURE = b"\r\nwebhook-signature: v1,"
SENT_NS = re.compile(rb'"sent_ns": ?(\d+)')
ID_BYTES = 36


class Tally:
    """What has arrived since the last /forget."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start anew."""
        self.arrived = self.signed = 0
        self.ids: set[bytes] = set()
        self.latencies_ms: list[float] = []

    def take(self, head: bytes, body: bytes) -> None:
        """Count one notification."""
        self.arrived += 1
        self.signed += SIGNATURE in head
        at = head.find(WEBHOOK_ID)
        if at >= 0:
            at += len(WEBHOOK_ID)
            self.ids.add(head[at : at + ID_BYTES])
        if sent := SENT_NS.search(body):
            self.latencies_ms.append((time.time_ns() - int(sent[1])) / 1e6)

    def answer(self, path: str) -> object:
        """Answer, and forget if asked to."""
        if path == "/ids":
            return [id.decode() for id in self.ids]
        counts = {
            "arrived": self.arrived,
            "distinct": len(self.ids),
            "signed": self.signed,
            "latencies_ms": self.latencies_ms,
        }
        if path == "/forget":
            self.forget()
        return counts


class Sink(asyncio.Protocol):
    """One connection; requests may come in pieces or several at once."""

    def __init__(self, tally: Tally, delay_s: float) -> None:
        self.tally = tally
        self.delay_s = delay_s
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        self.transport: Any = transport  # uvloop's is no subclass of asyncio's

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end]
            length = LENGTH.search(head)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(self.buffer) < size:
                return
            body, self.buffer = self.buffer[end + 4 : size], self.buffer[size:]
            self.request(head, body)

    def request(self, head: bytes, body: bytes) -> None:
        """Count a POST and answer it, maybe later; anything else is a question about the counts."""
        if not head.startswith(b"POST"):
            document = json.dumps(self.tally.answer(head.split(b" ", 2)[1].decode())).encode()
            self.transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(document), document)
            )
            return
        self.tally.take(head, body)
        if self.delay_s:
            asyncio.get_running_loop().call_later(self.delay_s, self.transport.write, OK)
        else:
            self.transport.write(OK)


async def serve(delay_s: float) -> None:
    """Serve until SIGTERM, or until whoever started us is gone."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    tally = Tally()
    server = await loop.create_server(lambda: Sink(tally, delay_s), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    parent = os.getppid()
    while not stopped.is_set() and os.getppid() == parent:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), 1)


def main() -> None:
    """Parse the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m load.bench.sink")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(parser.parse_args().delay))


if __name__ == "__main__":
    main()
