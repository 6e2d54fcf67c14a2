"""How a test's own server ends."""

import asyncio

TURNS = 10  # of the loop; a connection takes four until its task has begun, and none comes now


async def end(server: asyncio.Server) -> None:
    """Stop listening, and end every other task of this loop.

    One that had not begun would leave the connection open that was accepted for it.
    """
    server.close()
    for _ in range(TURNS):
        await asyncio.sleep(0)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
