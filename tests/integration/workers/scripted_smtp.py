"""An SMTP server for tests that answers each step by a script; without one, it accepts all."""

import asyncio
import threading
from collections import Counter
from contextlib import suppress

from tests.integration.workers.ending import end

DROP = None  # no reply: the connection ends
SILENT = "silent"
FINE = {
    "greeting": "220 ready",
    "helo": "250 hello",
    "starttls": "220 go ahead",
    "auth": "334 ",
    "login": "235 2.7.0 in",  # what follows a 334
    "mail": "250 2.1.0 ok",
    "rcpt": "250 2.1.5 ok",
    "data": "354 go on",
    "end": "250 2.0.0 queued",
    "quit": "221 bye",
}


class ScriptedSmtp:
    """`script`: a step's reply, or a list of them of which the last stays; lines end in \\r\\n.

    `offers`: the extensions that EHLO lists; `mails`: what was taken, as (recipient, message);
    `steps`: how often each step came.
    """

    def __init__(self, script=None, offers=("SIZE 1000000",)):
        first, *others = ["here", *offers][::-1]
        hello = "".join(f"250-{word}\r\n" for word in others[::-1]) + f"250 {first}"
        self.script = {"ehlo": hello} | dict(script or {})
        self.mails = []
        self.steps = Counter()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self.serve, "127.0.0.1", 0, limit=1 << 23), self.loop
        ).result()
        self.port = self.server.sockets[0].getsockname()[1]

    def close(self):
        """Stop listening and drop every connection."""
        asyncio.run_coroutine_threadsafe(end(self.server), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def reply(self, step):
        self.steps[step] += 1
        said = self.script[step] if step in self.script else FINE[step]
        if isinstance(said, list):
            return said.pop(0) if len(said) > 1 else said[0]
        return said

    async def serve(self, reader, writer):
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            await self.talk(reader, writer)
        writer.close()

    async def talk(self, reader, writer):
        """Hear one command after another, until the connection ends."""
        recipient, said = "", await self.say("greeting", writer)
        while not said.startswith("421"):
            line = (await reader.readuntil(b"\r\n")).decode()
            step = "login" if said.startswith("334") else line.split()[0].lower()
            if step == "rcpt":
                recipient = line[line.index("<") + 1 : line.index(">")]
            said = await self.say(step, writer)
            if step == "data" and said.startswith("354"):
                message = await reader.readuntil(b"\r\n.\r\n")
                said = self.reply("end")
                if said is not DROP and said.startswith("2"):
                    self.mails.append((recipient, message))  # before anybody can know of it
                await self.tell(said, writer)
            if step in ("quit", "starttls") and said.startswith("2"):
                return

    async def say(self, step, writer):
        """Reply to a step. Raises ConnectionError when the connection is to end there."""
        return await self.tell(self.reply(step), writer)

    async def tell(self, said, writer):
        """Write a reply. Raises ConnectionError when the connection is to end there."""
        if said is SILENT:
            await asyncio.sleep(3600)
        if said is DROP:
            raise ConnectionError
        writer.write(said.encode() + (b"" if said.endswith("\n") else b"\r\n"))
        await writer.drain()
        if said.endswith("-\n"):
            raise ConnectionError
        return said
