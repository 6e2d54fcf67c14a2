"""What a process and the one that it started tell each other, over a pair of nameless sockets.

No neighbour can reach them, nothing is left to clean up, and each end hears at once when the other
process is gone, however that ended: the kernel closes its end.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

# What the parent says, one byte each.
ASK, STOP = b"?", b"."
# What the child says, each with a text: its page of metrics; why it cannot start.
PAGE, REFUSAL = b"P", b"R"
HEAD = struct.Struct("!cI")
CHUNK_BYTES = 65_536


def framed(kind: bytes, text: str) -> bytes:
    """Write what a child says: its kind, the length of its text in bytes, and the text."""
    encoded = text.encode()
    return HEAD.pack(kind, len(encoded)) + encoded


def unframed(buffer: bytearray) -> Iterator[tuple[bytes, str]]:
    """Take what is complete out of the buffer."""
    while len(buffer) >= HEAD.size:
        kind, length = HEAD.unpack_from(buffer)
        end = HEAD.size + length
        if len(buffer) < end:
            return
        yield kind, buffer[HEAD.size : end].decode()
        del buffer[:end]


async def heard(link: socket.socket) -> AsyncIterator[bytes]:
    """Yield the bytes that come, until the other end is gone. The socket must not block."""
    loop = asyncio.get_running_loop()
    with suppress(ConnectionError):
        while data := await loop.sock_recv(link, CHUNK_BYTES):
            yield data
