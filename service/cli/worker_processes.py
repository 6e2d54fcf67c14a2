"""Several processes for one worker, because one is limited by Python's lock: a core or so.

This is their parent. It starts them, starts those that die again, tells them to stop and waits for
that, and shows their metrics as one page. It sends nothing itself.
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import partial

from loguru import logger

from service.cli.metrics_port import announce, listener, metrics_served
from service.cli.running import run_until_stopped
from service.cli.worker_process import WorkerProcess
from service.config.settings import NAMES, Settings, all_values
from service.errors import StartError, UnexpectedEnd
from service.metrics import ProcessMetrics, WorkerProcessesMetrics
from service.metrics.pages import added_up, merged, own_page
from service.process.cores import usable_cores
from service.process.stdio import share_streams
from service.process.watched import task_ended, until_stopped, watched
from service.tracing.start import adopt

AUTO_MAX = 4  # with more, PostgreSQL is the limit on one machine: then say how many
BEGIN_MAX_S = 10.0  # that /metrics waits for the first page of each
# Beyond the grace: what a worker settles, its log and its spans push at the end take a few seconds.
STOP_EXTRA_S = 15.0


def processes_wanted(settings: Settings) -> int:
    """Return how many processes a worker has. Raises StartError where there can be only one."""
    if sys.platform == "win32":
        if (settings.worker_processes or 1) > 1:
            raise StartError(
                f"WORKER_PROCESSES={settings.worker_processes}: on Windows there is one"
            )
        return 1
    return settings.worker_processes or min(usable_cores(), AUTO_MAX)


def run_processes(settings: Settings, wanted: int, process: ProcessMetrics) -> int:
    """Run so many worker processes until stopped."""
    sock = listener(settings.host, settings.metrics_port)
    processes = WorkerProcesses(settings, wanted, process)

    async def main(stop: asyncio.Event) -> None:
        async def serve() -> None:
            await metrics_served(settings, sock.dup(), page=processes.page)

        serving = asyncio.create_task(watched("metrics", serve, process.restarted))
        announce(settings.host, sock.getsockname()[1])
        try:
            await processes.run(stop)
        finally:
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving

    return run_until_stopped(main, at_once=processes.kill)


class WorkerProcesses:
    """The processes of one worker."""

    def __init__(self, settings: Settings, wanted: int, process: ProcessMetrics) -> None:
        self._wanted = wanted
        self._process = process
        self._stop_max_s = settings.shutdown_grace_s + STOP_EXTRA_S
        self._environ = environment()
        self._streams = share_streams()
        self._alive: list[WorkerProcess] = []
        self._faults: list[str] = []  # of those that stopped otherwise than in order
        self._past = ""  # what the dead have counted
        self._refusal: str | None = None
        self._asking: asyncio.Task[None] | None = None
        self._begins_by = 0.0  # by the loop's clock
        WorkerProcessesMetrics().show(wanted, lambda: len(self._alive))

    async def run(self, stop: asyncio.Event) -> None:
        """Run them until `stop` is set. Raises UnexpectedEnd, when one could not start or stop."""
        self._begins_by = asyncio.get_running_loop().time() + BEGIN_MAX_S
        watching = [
            asyncio.create_task(watched(f"worker process {number}", self._one, self._restarted))
            for number in range(1, self._wanted + 1)
        ]
        ended = [partial(task_ended, task) for task in watching]
        try:
            await until_stopped(stop, lambda: self._refusal, *ended)
        finally:
            for task in watching:
                task.cancel()
            await asyncio.wait(watching)
            await self._stop_all()
        if self._faults:
            raise UnexpectedEnd(self._faults[0])

    async def page(self) -> str:
        """Write what all of them show; one that does not answer, as it last did."""
        if self._asking is None or self._asking.done():  # those who ask at once share the answer
            self._asking = asyncio.create_task(self._ask())
        await asyncio.shield(self._asking)
        return merged([own_page(), *(one.page for one in self._alive), self._past])

    def kill(self) -> None:
        """End all of them at once."""
        for one in self._alive:
            one.kill()

    async def _one(self) -> None:
        """Start one, and raise when it has ended."""
        one = WorkerProcess(self._environ, self._streams)
        self._alive.append(one)
        one.gone.add_done_callback(lambda _: self._retire(one))
        how = await asyncio.shield(one.gone)
        if one.refusal:
            self._refusal = one.refusal
            await asyncio.Event().wait()
        raise UnexpectedEnd(how or f"worker process {one.pid} stopped, and not by us")

    def _retire(self, one: WorkerProcess) -> None:
        """Keep what it has counted: a counter never falls."""
        self._alive.remove(one)
        self._past = merged([self._past, added_up([one.page])])

    def _restarted(self, _: str) -> None:
        self._process.restarted("worker")

    async def _stop_all(self) -> None:
        """Ask all to stop, and wait; what does not come to an end is killed."""
        ending = [one.gone for one in self._alive]
        for one in self._alive:
            one.stop()
        if ending:
            await asyncio.wait(ending, timeout=self._stop_max_s)
            for one in [one for one in self._alive if not one.gone.done()]:
                logger.error("process_stuck", process=one.pid)
                one.kill()
            self._faults = [how for how in await asyncio.gather(*ending) if how]

    async def _ask(self) -> None:
        """Ask all for their pages; in the first seconds, wait until each has shown one."""
        alive = list(self._alive)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._begins_by):
                await asyncio.gather(*(one.has_begun.wait() for one in alive))
        await asyncio.gather(*(one.ask() for one in alive))


def environment() -> Mapping[str, str]:
    """Give children our settings as they are now, for any start of theirs: they read no .env."""
    values = all_values(None, None)
    environ = os.environ | {name: values[name] for name in NAMES & values.keys()}
    adopt(values, environ)
    return environ
