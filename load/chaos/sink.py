"""A provider with moods and a ledger of its own: python -m load.chaos.sink FILE.

Prints its HTTP and its SMTP port, and writes a line of JSON to FILE for each arrival: id, channel,
at (epoch seconds). A notification has arrived when all of it was read, whatever is answered then;
only what is refused by the mood `fails` has not. Commands: `mood NAME`.
"""

import asyncio
import json
import logging
import re
import socket
import struct
import sys
import time
from pathlib import Path
from typing import IO, Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from load.chaos.commands import answer, commands

HOST = "127.0.0.1"
MOODS = ("fine", "hangs", "drips", "garbage", "resets", "fails", "down")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
GARBAGE = b"\x00\xff\xfe 200 maybe\r\n\r\n"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
WEBHOOK_ID = re.compile(rb"\r\nwebhook-id: *([0-9a-f-]{36})", re.IGNORECASE)
MESSAGE_ID = re.compile(rb"^message-id: *<([0-9a-f-]{36})@", re.IGNORECASE | re.MULTILINE)
HANG_S = 60.0
DRIP_S = 0.5
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with RST


class Sink:
    """The mood, the ledger, and both servers."""

    def __init__(self, ledger: IO[str]) -> None:
        self.ledger = ledger
        self.mood = "fine"
        self.ports = [0, 0]
        self.servers: list[asyncio.Server] = []
        self.talks: set[asyncio.Protocol] = set()

    async def open(self) -> None:
        """Listen, on the same ports as before."""
        loop = asyncio.get_running_loop()
        for place, make in enumerate((lambda: HttpTalk(self), lambda: mail_talk(self))):
            self.servers.append(await loop.create_server(make, HOST, self.ports[place]))
        self.ports = [server.sockets[0].getsockname()[1] for server in self.servers]

    async def change(self, mood: str) -> None:
        """Take on a mood; `down` closes the doors until the next mood."""
        if mood == "down":
            while self.servers:
                self.servers.pop().close()
        elif not self.servers:
            await self.open()
        if "down" in (mood, self.mood) or mood == "fine":
            for talk in list(self.talks):
                hang_up(talk)
        self.mood = mood

    def arrived(self, channel: str, match: re.Match[bytes] | None) -> None:
        """Enter an arrival, unless it will be refused."""
        if self.mood != "fails":
            id = match[1].decode() if match else None
            line = {"id": id, "channel": channel, "at": time.time()}
            self.ledger.write(json.dumps(line) + "\n")


class HttpTalk(asyncio.Protocol):
    """One HTTP connection."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.buffer = b""
        self.drip: asyncio.Task[None] | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.sink.talks.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.sink.talks.discard(self)

    def data_received(self, data: bytes) -> None:
        """Take each whole request."""
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            length = LENGTH.search(self.buffer[:end])
            size = end + 4 + (int(length[1]) if length else 0)
            if len(self.buffer) < size:
                return
            head, self.buffer = self.buffer[:end], self.buffer[size:]
            self.sink.arrived("webhook", WEBHOOK_ID.search(head))
            self.reply()

    def reply(self) -> None:
        """Answer as the mood is."""
        match self.sink.mood:
            case "hangs":
                pass
            case "drips":
                self.drip = asyncio.get_running_loop().create_task(self.drips())
            case "garbage":
                self.transport.write(GARBAGE)
            case "resets":
                hang_up(self)
            case "fails":
                self.transport.write(BUSY)
            case _:
                self.transport.write(OK)

    async def drips(self) -> None:
        """Answer, a byte at a time."""
        for byte in OK:
            if self.transport.is_closing():
                return
            self.transport.write(bytes([byte]))
            await asyncio.sleep(DRIP_S)


class MailTalk(SMTP):
    """One SMTP connection; the sink hangs up when its mood says so."""

    sink: Sink

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.sink.talks.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.sink.talks.discard(self)
        super().connection_lost(error)


class MailDoor:
    """What aiosmtpd asks."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink

    async def handle_DATA(self, talk: MailTalk, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take a mail and answer as the mood is."""
        self.sink.arrived("email", MESSAGE_ID.search(envelope.original_content or b""))
        match self.sink.mood:
            case "hangs" | "drips":
                await asyncio.sleep(HANG_S)
            case "garbage":
                return "\x01 maybe"
            case "resets":
                hang_up(talk)
            case "fails":
                return "451 4.3.0 later"
        return "250 2.0.0 taken"


def mail_talk(sink: Sink) -> MailTalk:
    """Begin an SMTP conversation."""
    talk = MailTalk(MailDoor(sink), hostname="sink", loop=asyncio.get_running_loop())
    talk.sink = sink
    return talk


def hang_up(talk: Any) -> None:
    """Close a connection with a reset."""
    if talk.transport is not None:
        talk.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, RESET
        )
        talk.transport.abort()


async def main(file: Path) -> None:
    """Serve until stdin ends."""
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)
    with file.open("a", buffering=1) as ledger:
        sink = Sink(ledger)
        await sink.open()
        answer(*sink.ports)
        async for _, mood in commands():
            await sink.change(mood)
            answer(mood)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
