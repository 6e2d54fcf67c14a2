"""An HTTPS server for tests: HTTP/2 or HTTP/1.1, as ALPN says; it counts its connections."""

import asyncio
import ssl
import threading
from contextlib import suppress
from pathlib import Path

import trustme
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, StreamEnded

from tests.integration.workers.ending import end

HEAD = b"\r\n\r\n"


class Secure:
    """`url` is where it listens, `authority` the file of the CA that signed its certificate.

    `connections` counts those that finished their handshake, `requests` what was answered. With
    `hold`, nothing is answered before that many requests wait.
    """

    def __init__(
        self,
        directory: Path,
        *protocols: str,
        hold: int = 0,
        version: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED,
    ) -> None:
        self.connections = 0
        self.requests = 0
        self.hold = hold
        self.waiting = 0
        authority = trustme.CA()
        self.authority = directory / "authority.pem"
        authority.cert_pem.write_to_path(self.authority)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        context.maximum_version = version
        context.set_alpn_protocols(list(protocols))
        self.loop = asyncio.new_event_loop()
        self.all_here = asyncio.Event()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.server = self.call(
            asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=context, backlog=1024)
        )
        self.url = f"https://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    def call(self, work):
        """Run a coroutine on the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)

    def close(self) -> None:
        """Stop listening and drop every connection."""
        self.call(end(self.server))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        is_h2 = writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await (self.speak_h2 if is_h2 else self.speak_h1)(reader, writer)
        writer.close()

    async def enough(self) -> None:
        """Wait until `hold` requests wait."""
        self.waiting += 1
        if self.waiting >= self.hold:
            self.all_here.set()
        await self.all_here.wait()
        self.requests += 1

    async def speak_h1(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(HEAD)).decode().lower()
            await reader.readexactly(int(head.partition("content-length:")[2].split()[0]))
            await self.enough()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async def speak_h2(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        http = H2Connection(H2Configuration(client_side=False))
        http.initiate_connection()
        answers = set()
        while True:
            writer.write(http.data_to_send())
            data = await reader.read(65536)
            if not data:
                return
            for event in http.receive_data(data):
                if isinstance(event, DataReceived):
                    size = event.flow_controlled_length
                    http.acknowledge_received_data(size, event.stream_id)
                if isinstance(event, StreamEnded):
                    answers.add(asyncio.create_task(self.answer(http, event.stream_id, writer)))

    async def answer(self, http: H2Connection, stream: int, writer: asyncio.StreamWriter) -> None:
        await self.enough()
        http.send_headers(stream, [(":status", "200")])
        http.send_data(stream, b"ok", end_stream=True)
        writer.write(http.data_to_send())
