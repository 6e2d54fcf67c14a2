"""What `notify worker` runs: a claimer, NUM_THREADS senders, a settler and a heart."""

import os
import socket
import time
from dataclasses import replace
from secrets import token_hex
from typing import TYPE_CHECKING

from loguru import logger

from service.clock import Clock, since_boot
from service.config.settings import Settings
from service.logs.outage import Outage
from service.metrics import WorkerMetrics
from service.process.descriptors import share
from workers.attempts import Attempts
from workers.breakers import Breakers
from workers.channels import channels
from workers.claim import Outbox
from workers.claimer import Claimer
from workers.doubts import Doubts
from workers.habits import Habits
from workers.heart import Heart, Quiet
from workers.heart_store import HeartStore
from workers.hints import Hints
from workers.loop import Loop
from workers.names import Names
from workers.paces import Paces
from workers.parkings import Parkings
from workers.ready_set import ReadySet
from workers.rollups import Rollups
from workers.sender import Sender
from workers.settler import Settler
from workers.shortage import Shortages
from workers.slots import Slots
from workers.standing import Standing
from workers.store import Store

if TYPE_CHECKING:
    from service.tracing.tracer import Tracer

UNSETTLED_PER_SLOT = 4  # ended sends that may wait for a slow database
CUT_OFF_EXTRA_S = 1.0  # beyond the grace: for senders to cut off what still runs
SETTLE_EXTRA_S = 2.0  # beyond the grace: for the settler to settle that
HEART_EXTRA_S = 0.5  # at the end: for the last beat, and what was counted since the last minute


class Worker:
    """The threads of one worker. Raises ConfigError for a value that is no webhook secret.

    Threads: start and stop are called by one at a time; alive and ended by any.
    """

    def __init__(
        self,
        settings: Settings,
        metrics: WorkerMetrics,
        tracer: "Tracer | None" = None,
        *,
        sandbox: str | None = None,
    ) -> None:
        """`sandbox`: the inbox that takes everything that is sent; None: there is none."""
        self._settings = settings = within_descriptors(settings)
        # The token, because a restarted container has the same host and process id as before.
        self._name = f"{socket.gethostname()}:{os.getpid()}-{token_hex(4)}"
        slots_max = settings.num_threads * settings.sends_per_thread
        slots = Slots(slots_max, slots_max * UNSETTLED_PER_SLOT)
        metrics.slots.set(slots_max)
        metrics.in_flight.set_function(lambda: slots.sending)
        metrics.in_hand.set_function(lambda: slots.in_hand)
        self._clock = Clock(monotonic=since_boot)
        outage = Outage("postgresql", role="worker")
        rollups = Rollups()
        self._settler = Settler(
            settings,
            metrics,
            store=Store(settings, metrics, self._name, "settler", outage),
            slots=slots,
            rollups=rollups,
        )
        standing = Standing(Breakers(settings, metrics), Paces(), Parkings())
        self._senders = senders(
            settings,
            metrics,
            self._clock,
            slots,
            outbox=self._settler.inbox,
            standing=standing,
            sandbox=sandbox,
            tracer=tracer,
        )
        ready_set = ReadySet(settings.redis_url) if settings.redis_url else None
        self._claimer = Claimer(
            settings,
            metrics,
            store=Store(settings, metrics, self._name, "claimer", outage),
            clock=self._clock,
            hints=Hints(ready_set, metrics),
            slots=slots,
            senders=self._senders,
        )
        self._heart = Heart(
            settings,
            metrics,
            store=HeartStore(settings.database_url or "", self._name, Quiet("postgresql")),
            slots=slots,
            rollups=rollups,
            clock=self._clock,
            standing=standing,
            settled=lambda: self._settler.settled,
            outage=outage,
        )
        self._threads: list[Loop] = [self._settler, *self._senders, self._claimer, self._heart]

    @property
    def alive(self) -> bool:
        """Whether every thread runs."""
        return all(thread.is_alive() for thread in self._threads)

    def ended(self) -> str | None:
        """Name a thread that has ended although the worker was not stopped; None: all run."""
        gone = [thread.name for thread in self._threads if not thread.is_alive()]
        return f"thread {gone[0]} ended" if gone else None

    def start(self) -> None:
        """Start the threads; they wait for PostgreSQL and Redis by themselves."""
        if not self._settings.webhook_secret:
            logger.warning("webhooks_unsigned", hint="set WEBHOOK_SECRET to sign them")
        for thread in self._threads:
            thread.start()
        logger.info("worker_started", worker=self._name, threads=len(self._senders))

    def stop(self) -> None:
        """Claim nothing more, finish what is being sent, release the rest, settle all. Blocks.

        What the grace is too short for is settled as unknown, or left to the reaper.
        """
        grace_s = self._settings.shutdown_grace_s
        grace_ends = time.monotonic() + grace_s
        self._claimer.stop()
        self._claimer.join(grace_s)  # it may be waiting for a PostgreSQL that is silent
        for sender in self._senders:
            sender.finish(grace_ends)
        for sender in self._senders:
            sender.join(max(0.0, grace_ends + CUT_OFF_EXTRA_S - time.monotonic()))
            if sender.is_alive():  # a library holds it up: what it sends is left to the reaper
                logger.error("thread_stuck", thread=sender.name)
                sender.give_back()
        self._settler.finish(grace_ends + SETTLE_EXTRA_S)
        self._settler.join(max(0.0, grace_ends + SETTLE_EXTRA_S - time.monotonic()))
        self._heart.stop()
        self._heart.join(HEART_EXTRA_S)
        logger.info("worker_stopped", worker=self._name)


def senders(
    settings: Settings,
    metrics: WorkerMetrics,
    clock: Clock,
    slots: Slots,
    *,
    outbox: Outbox,
    standing: Standing,
    sandbox: str | None = None,
    tracer: "Tracer | None" = None,
) -> list[Sender]:
    """Make the senders, which share what is known of receivers."""
    by_name = channels(settings, clock.now, sandbox)
    shortages, names, doubts, habits = Shortages(metrics), Names(), Doubts(), Habits()
    return [
        Sender(
            number,
            settings,
            metrics,
            channels=by_name,
            standing=standing,
            shortages=shortages,
            names=names,
            doubts=doubts,
            habits=habits,
            slots=slots,
            outbox=outbox,
            attempts=None if tracer is None else Attempts(tracer),
        )
        for number in range(settings.num_threads)
    ]


def within_descriptors(settings: Settings) -> Settings:
    """Give each thread fewer sends if the limit of open files asks for it.

    A send takes two files: its connection, and one that is kept for the next send.
    """
    wanted = 2 * settings.num_threads * settings.sends_per_thread
    most = max(2, share("worker", wanted) // 2 // settings.num_threads)
    if settings.sends_per_thread <= most:
        return settings
    logger.warning(
        "fewer_slots",
        sends_per_thread=most,
        wanted=settings.sends_per_thread,
        hint="raise the limit of open files (ulimit -n)",
    )
    return replace(settings, sends_per_thread=most)
