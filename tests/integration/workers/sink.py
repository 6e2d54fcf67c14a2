"""An HTTP server for tests that answers as its path says, and remembers what it was sent."""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import unquote

from tests.integration.workers.ending import end


@dataclass(frozen=True)
class Request:
    """One request as it arrived; header names in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[["Sink", Request, asyncio.StreamWriter], Awaitable[None]]


class Hold:
    """An event that tasks wait for and any thread sets: a thousand polling tasks fill a core."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.event = asyncio.Event()

    def set(self) -> None:
        """Let everybody go on."""
        self.loop.call_soon_threadsafe(self.event.set)

    async def wait(self) -> None:
        """Wait until it is set."""
        await self.event.wait()


class Sink:
    """`url` is where it listens; `requests` what came, in order.

    `hold` keeps /held waiting; `now` is the status that /now answers;
    `taken` counts what came to /limited in each second.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.now = 200
        self.taken: Counter[int] = Counter()
        self.loop = asyncio.new_event_loop()
        self.hold = Hold(self.loop)
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=4096), self.loop
        ).result()
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    def close(self) -> None:
        """Stop listening and drop every connection."""
        asyncio.run_coroutine_threadsafe(end(self.server), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while True:
                    request = await read_request(reader)
                    self.requests.append(request)
                    await ANSWERS[request.path.split("/")[1]](self, request, writer)
        finally:
            writer.close()


async def read_request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in head[1:] if line)
    headers = {name.lower(): value for name, value in headers.items()}
    body = await reader.readexactly(int(headers["content-length"]))
    return Request(head[0].split(" ")[1], headers, body)


def headers(extra: list[str]) -> str:
    return "".join(unquote(e).replace("=", ": ", 1) + "\r\n" for e in extra)


def reply(writer: asyncio.StreamWriter, status: int, extra: str = "", body: bytes = b"ok") -> None:
    head = f"HTTP/1.1 {status} Any\r\n{extra}Content-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)


async def status(_sink: Sink, request: Request, writer: asyncio.StreamWriter) -> None:
    """Answer alike each time: /status/429/Retry-After=7."""
    _, _, code, *extra = request.path.split("/")
    reply(writer, int(code), headers(extra))


async def limited(sink: Sink, request: Request, writer: asyncio.StreamWriter) -> None:
    """Take 20 in a second, and throttle the others: /limited/Retry-After=1."""
    second = int(sink.loop.time())
    sink.taken[second] += 1
    extra = headers(request.path.split("/")[2:])
    reply(writer, 200 if sink.taken[second] <= 20 else 429, extra)


async def log(_sink: Sink, _request: Request, writer: asyncio.StreamWriter) -> None:
    """Take a line of the channel `log`, as the inbox of a sandbox does."""
    reply(writer, 200)


async def now(sink: Sink, _request: Request, writer: asyncio.StreamWriter) -> None:
    reply(writer, sink.now)


async def once(sink: Sink, request: Request, writer: asyncio.StreamWriter) -> None:
    """Refuse the first time: /once/503/Retry-After=1."""
    first = [r.path for r in sink.requests].count(request.path) == 1
    _, _, code, *extra = request.path.split("/")
    reply(writer, int(code) if first else 200, headers(extra) if first else "")


async def held(sink: Sink, _request: Request, writer: asyncio.StreamWriter) -> None:
    await sink.hold.wait()
    reply(writer, 200)


async def huge(_sink: Sink, _request: Request, writer: asyncio.StreamWriter) -> None:
    """Announce a gigabyte, and send as much as is taken."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
    for _ in range(1024):
        writer.write(b"x" * 1048576)
        await writer.drain()


async def drip(_sink: Sink, _request: Request, writer: asyncio.StreamWriter) -> None:
    """Never end the answer's headers."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Drip: drop\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


async def trickle(_sink: Sink, _request: Request, writer: asyncio.StreamWriter) -> None:
    """Never end the answer's body."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


async def silent(_sink: Sink, _request: Request, _writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)  # its timer keeps this task alive when the client has gone


async def garbage(_sink: Sink, _request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x00\xff\xfe not HTTP at all\r\n" * 100)
    writer.close()


async def reset(_sink: Sink, _request: Request, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def binary(_sink: Sink, _request: Request, writer: asyncio.StreamWriter) -> None:
    reply(writer, 400, body=b"bad \x00\xff\x1b[31m\r\nthing" + b"x" * 9000)


ANSWERS: dict[str, Answer] = {
    "status": status,
    "log": log,
    "now": now,
    "limited": limited,
    "once": once,
    "held": held,
    "huge": huge,
    "drip": drip,
    "trickle": trickle,
    "silent": silent,
    "garbage": garbage,
    "reset": reset,
    "binary": binary,
}
