"""A TCP proxy to one server, which can freeze or break: python -m load.chaos.link PORT.

Prints its own port. Commands: `freeze` (connections are accepted, and neither byte nor FIN moves),
`thaw`, `isolate` (frozen, and every SYN is dropped), `rejoin`, `half_open WORDS` (whoever has sent
WORDS keeps a connection with nobody at its other end; answers how many), `heard WORDS` (how many
whole ones have sent them).
"""

import asyncio
import socket
import sys
from contextlib import suppress

from load.chaos.commands import answer, commands

HOST = "127.0.0.1"
CHUNK_BYTES = 65536
HEARD_BYTES = 4096  # of what a client says first; enough to know it by


class Wire:
    """One connection through the link."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client = client
        self.server = server
        self.heard = b""
        self.broken = False


class Link:
    """The connections, and whether bytes move."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.thawed = asyncio.Event()
        self.thawed.set()
        self.wires: set[Wire] = set()
        self.own_port = 0
        self.listener: asyncio.Server | None = None
        self.full: list[socket.socket] = []

    async def listen(self) -> None:
        """Take connections, always on the same port."""
        self.listener = await asyncio.start_server(self.accept, HOST, self.own_port)
        self.own_port = self.listener.sockets[0].getsockname()[1]

    def isolate(self) -> None:
        """Move nothing, and listen with a full queue: the kernel then drops every SYN."""
        assert self.listener is not None
        self.thawed.clear()
        self.listener.close()
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        deaf.bind((HOST, self.own_port))
        deaf.listen(0)
        self.full = [deaf]
        for _ in range(3):
            waiting = socket.socket()
            waiting.setblocking(False)
            waiting.connect_ex((HOST, self.own_port))
            self.full.append(waiting)

    async def rejoin(self) -> None:
        """Be as before."""
        for waiting in self.full:
            waiting.close()
        self.full.clear()
        if self.listener is not None and not self.listener.is_serving():
            await self.listen()
        self.thawed.set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Join a client with the server until either ends."""
        await self.thawed.wait()
        try:
            answers, server = await asyncio.open_connection(HOST, self.port)
        except OSError:
            writer.close()
            return
        wire = Wire(writer, server)
        self.wires.add(wire)
        await asyncio.gather(self.upstream(wire, reader), self.downstream(wire, answers))
        self.wires.discard(wire)

    async def upstream(self, wire: Wire, reader: asyncio.StreamReader) -> None:
        """Pass on what the client says; swallow it when the wire is broken."""
        with suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                wire.heard = (wire.heard + data)[:HEARD_BYTES]
                await self.thawed.wait()
                if not wire.broken:
                    wire.server.write(data)
                    await wire.server.drain()
        await self.thawed.wait()
        wire.server.close()
        wire.client.close()

    async def downstream(self, wire: Wire, reader: asyncio.StreamReader) -> None:
        """Pass on what the server says; of a broken wire the client hears not even the end."""
        with suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                await self.thawed.wait()
                if not wire.broken:
                    wire.client.write(data)
                    await wire.client.drain()
        await self.thawed.wait()
        if not wire.broken:
            wire.client.close()

    def heard(self, words: bytes) -> list[Wire]:
        """Find the whole wires that have heard these words."""
        return [wire for wire in self.wires if words in wire.heard and not wire.broken]

    def half_open(self, words: bytes) -> int:
        """Break the wires that have heard these words; says how many."""
        wires = self.heard(words)
        for wire in wires:
            wire.broken = True
            wire.server.close()
        return len(wires)


async def main(port: int) -> None:
    """Serve until stdin ends."""
    link = Link(port)
    await link.listen()
    answer(link.own_port)
    async for command, *words in commands():
        match command:
            case "freeze":
                link.thawed.clear()
                answer("frozen")
            case "thaw":
                await link.rejoin()
                answer("thawed")
            case "isolate":
                link.isolate()
                answer("isolated")
            case "rejoin":
                await link.rejoin()
                answer("joined")
            case "half_open":
                answer(link.half_open(" ".join(words).encode()))
            case "heard":
                answer(len(link.heard(" ".join(words).encode())))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
