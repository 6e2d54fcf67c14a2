"""A proxy that passes requests on with a Host of its own, as nginx does unless it is told."""

import asyncio
import re
from contextlib import suppress

from tests.integration.api.link import Link


class Proxied(Link):
    """A service at a port of this machine, which is shown another Host than the browser's."""

    def __init__(self, port: int, host: str) -> None:
        super().__init__(f"host=127.0.0.1 port={port}")
        self._host = f"\r\nHost: {host}".encode()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(re.sub(rb"\r\nHost: [^\r]*", self._host, data))
                await writer.drain()
        writer.close()
