"""The ceiling of the HTTP edge: aiohttp, uvloop and msgspec, and nothing behind them.

python -m load.bench.echo     prints its port; runs until stopped
"""

import asyncio
import contextlib
from typing import Any

import msgspec
import uvloop
from aiohttp import web


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """What POST /notify takes, as far as the client here sends it."""

    channel: str
    recipient: str
    payload: msgspec.Raw


decode = msgspec.json.Decoder(Body).decode
encode = msgspec.json.Encoder().encode


async def post(request: web.Request) -> web.Response:
    """Decode with validation, and answer as many bytes as a receipt has."""
    body = decode(await request.read())
    answer = {"id": "0" * 36, "status": "queued", "created_at": "0" * 27, "channel": body.channel}
    return web.Response(
        body=encode(answer), status=202, headers={"Content-Type": "application/json"}
    )


async def serve() -> None:
    """Serve until stopped."""
    app = web.Application()
    app.router.add_post("/notify", post)
    runner: Any = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """Serve."""
    with (
        contextlib.suppress(KeyboardInterrupt),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(serve())


if __name__ == "__main__":
    main()
