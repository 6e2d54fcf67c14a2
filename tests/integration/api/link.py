"""A TCP proxy to PostgreSQL that a test may cut, or freeze."""

import asyncio
import socket
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Self

from psycopg.conninfo import conninfo_to_dict

from tests.integration.workers.ending import stop_listening

LIMIT_S = 60.0


class Link:
    """One proxy on a loop of its own."""

    def __init__(self, dsn: str) -> None:
        parts = conninfo_to_dict(dsn)
        self._server = (str(parts["host"]), int(parts["port"] or 5432))
        self._writers: set[asyncio.StreamWriter] = set()
        self._deaf: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        # Nobody else gets the port while it is cut.
        self._held = socket.socket()
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._held.bind(("127.0.0.1", 0))
        self.port = self._held.getsockname()[1]

    def __enter__(self) -> Self:
        self._thread.start()
        self._thawed = asyncio.Event()
        self.thaw()
        self.restore()
        return self

    def __exit__(self, *_: object) -> None:
        self.thaw()
        self.cut()
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._held.close()

    def _run(self, work: Coroutine[Any, Any, Any]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(LIMIT_S)

    def restore(self) -> None:
        """Accept connections, on the same port as before."""
        self._run(self._listen())

    def cut(self) -> None:
        """Close every connection and accept no more."""
        self._run(self._cut())

    def freeze(self) -> None:
        """Pass nothing on, and keep every connection open."""
        self._loop.call_soon_threadsafe(self._thawed.clear)

    def thaw(self) -> None:
        """Pass on again."""
        self._loop.call_soon_threadsafe(self._thawed.set)

    def half_open(self) -> int:
        """Drop all that comes on the connections of now, never close them, and say how many."""
        self._deaf |= self._writers
        return len(self._deaf) // 2

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def _cut(self) -> None:
        await stop_listening(self._listener)
        for writer in self._writers:
            writer.transport.abort()  # also one whose peer reads no more
        self._writers.clear()

    async def _end(self) -> None:
        """Let every connection end by itself."""
        here = asyncio.current_task()
        rest = [task for task in asyncio.all_tasks() if task is not here]
        if rest:
            await asyncio.wait(rest, timeout=LIMIT_S / 2)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with suppress(OSError):
            their_reader, their_writer = await asyncio.open_connection(*self._server)
            if writer.is_closing():  # it was cut meanwhile
                their_writer.close()
                return
            self._writers.add(their_writer)
            await asyncio.gather(self._pass(reader, their_writer), self._pass(their_reader, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._thawed.wait()
                if writer in self._deaf:
                    continue
                writer.write(data)
                await writer.drain()
        writer.close()
