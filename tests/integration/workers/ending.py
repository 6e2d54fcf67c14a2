"""How a test's own server ends."""

import asyncio
import socket
from collections.abc import Iterable

TURNS = 10  # of the loop; a connection takes four until its task has begun


async def end(server: asyncio.Server) -> None:
    """Stop listening, and end every other task of this loop."""
    await stop_listening(server)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def stop_listening(server: asyncio.Server) -> None:
    """Accept nothing more, and close the server."""
    await accept_no_more(server.sockets)
    server.close()


async def accept_no_more(listeners: Iterable[socket.socket]) -> None:
    """Let what was accepted begin, and nothing come after it; then the server may be closed.

    With the server closed first, asyncio forgets what it has just accepted, and never closes it.
    """
    loop = asyncio.get_running_loop()
    for listener in listeners:
        loop.remove_reader(listener.fileno())
    for _ in range(TURNS):
        await asyncio.sleep(0)
