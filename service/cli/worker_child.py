"""One of several worker processes, as itself: `notify worker` starts it, and nobody else should.

It stops when it is told to, by its parent or by a signal, and when its parent is gone.
"""

import asyncio
import os
import socket
import sys
from contextlib import suppress
from functools import partial

from loguru import logger

from service.cli.main import ended_by
from service.cli.role_logs import start_logs
from service.cli.run import in_one_line
from service.cli.running import run_until_stopped
from service.cli.working import working
from service.config.settings import settings_of
from service.errors import ConfigError
from service.metrics.pages import own_page
from service.process import link
from service.process.cancelled import was_cancelled
from service.process.stdio import share_streams
from service.process.watched import task_ended, until_stopped
from service.tracing.start import tracing

SHOW_MAX_S = 1.0


def main(words: list[str]) -> int:
    """Work until stopped; `words`: the descriptors of the link and of the streams' lock."""
    parent = socket.socket(fileno=int(words[0]))
    parent.set_inheritable(False)
    share_streams(int(words[1]))
    try:
        return work(parent)
    except ConfigError as error:
        parent.setblocking(True)
        with suppress(OSError):
            parent.sendall(link.framed(link.REFUSAL, str(error)))
        return 1


def work(parent: socket.socket) -> int:
    """Run a worker. Raises ConfigError."""
    settings = settings_of(os.environ)  # .env may have changed since the parent read it
    start_logs("worker", settings, is_child=True)
    parent.setblocking(False)

    async def main(stop: asyncio.Event) -> None:
        upwards = Upwards(parent)
        async with working(settings, tracer) as worker_ended:
            obeying = asyncio.create_task(upwards.obey(stop), name="link")
            await until_stopped(stop, worker_ended, partial(task_ended, obeying))
        with suppress(TimeoutError):
            async with asyncio.timeout(SHOW_MAX_S):  # the parent may have been stopped
                await upwards.show()
        obeying.cancel()

    with tracing(is_child=True) as tracer:
        return run_until_stopped(main)


class Upwards:
    """The link to the parent."""

    def __init__(self, parent: socket.socket) -> None:
        self._parent = parent
        self._telling = asyncio.Lock()

    async def obey(self, stop: asyncio.Event) -> None:
        """Do what the parent says until it is gone, which means: stop."""
        await self.show()
        async for orders in link.heard(self._parent):
            if link.STOP in orders:
                stop.set()
            if link.ASK in orders:
                await self.show()
        if not was_cancelled() and not stop.is_set():
            logger.warning("stopping", reason="the process that started this one is gone")
            stop.set()

    async def show(self) -> None:
        """Send the metrics as they are now."""
        page = link.framed(link.PAGE, own_page())
        with suppress(OSError):  # it is gone
            async with self._telling:
                await asyncio.get_running_loop().sock_sendall(self._parent, page)


if __name__ == "__main__":
    try:
        code = in_one_line(lambda: main(sys.argv[1:]))
    except KeyboardInterrupt as error:
        code = ended_by(error)
    sys.exit(code)
