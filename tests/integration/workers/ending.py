"""How a test's own server ends."""

import asyncio

STEPS_OF_A_CONNECTION = 3  # it is accepted, made, and its task begun: each a turn of the loop


async def end(server: asyncio.Server) -> None:
    """Stop listening, and end every other task of this loop.

    One that has not begun would leave the socket open that was accepted for it.
    """
    server.close()
    for _ in range(STEPS_OF_A_CONNECTION):
        await asyncio.sleep(0)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
