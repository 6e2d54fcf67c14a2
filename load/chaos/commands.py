"""How an instrument (link, sink, producers) takes commands: a line on stdin, an answer each."""

import asyncio
import sys
from collections.abc import AsyncIterator


async def commands() -> AsyncIterator[list[str]]:
    """Yield the words of each line until stdin ends: then whoever started us is gone."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield line.decode().split()


def answer(*words: object) -> None:
    """Answer a command; at the start, say which ports were taken."""
    print(*words, flush=True)
