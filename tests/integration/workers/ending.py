"""How a test's own server ends."""

import asyncio

TURNS = 10  # of the loop; a connection takes four until its task has begun


async def end(server: asyncio.Server) -> None:
    """Stop listening, and end every other task of this loop."""
    await stop_listening(server)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def stop_listening(server: asyncio.Server) -> None:
    """Accept nothing more, let the tasks of what was accepted begin, and close the server.

    The other way round the loop would forget the connections that it has just accepted, and close
    them never.
    """
    loop = asyncio.get_running_loop()
    for listener in server.sockets:
        loop.remove_reader(listener.fileno())
    for _ in range(TURNS):
        await asyncio.sleep(0)
    server.close()
