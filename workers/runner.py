"""What `notify worker` runs: a claimer, NUM_THREADS senders, a settler; start and stop in order."""

import os
import socket
import time
from dataclasses import replace
from secrets import token_hex

from loguru import logger

from service.clock import Clock
from service.config.settings import Settings
from service.logs.outage import Outage
from service.metrics import WorkerMetrics
from service.process.descriptors import share
from workers.breakers import Breakers
from workers.channels import channels
from workers.claimer import Claimer
from workers.doubts import Doubts
from workers.hints import Hints
from workers.loop import Loop
from workers.names import Names
from workers.pace import Paces
from workers.ready_set import ReadySet
from workers.sender import Sender
from workers.settler import Settler
from workers.shortage import Shortages
from workers.slots import Slots
from workers.store import Store

UNSETTLED_PER_SLOT = 4  # ended sends that may wait for a slow database
CUT_OFF_EXTRA_S = 1.0  # beyond the grace: for a sender to cut off what it sends
SETTLE_EXTRA_S = 2.0  # … and to settle that, too


class Worker:
    """The threads of one worker, in this process. Raises ConfigError for a secret that is none."""

    def __init__(self, settings: Settings, metrics: WorkerMetrics) -> None:
        self.settings = settings = within_descriptors(settings)
        # The token, because a container that starts again has its host and its process id again.
        self.name = f"{socket.gethostname()}:{os.getpid()}-{token_hex(4)}"
        slots_max = settings.num_threads * settings.sends_per_thread
        slots = Slots(slots_max, slots_max * UNSETTLED_PER_SLOT)
        metrics.slots.set(slots_max)
        metrics.in_flight.set_function(lambda: slots.sending)
        metrics.in_hand.set_function(lambda: len(slots.in_hand))
        self.clock = Clock()
        ways = channels(settings, self.clock.now)
        breakers, paces = Breakers(settings, metrics), Paces()
        shortages, names, doubts = Shortages(metrics), Names(), Doubts()
        outage = Outage("postgresql", role="worker")
        self.settler = Settler(
            settings,
            metrics,
            store=Store(settings, metrics, self.name, "settler", outage),
            slots=slots,
        )
        self.senders = [
            Sender(
                number,
                settings,
                metrics,
                channels=ways,
                breakers=breakers,
                paces=paces,
                shortages=shortages,
                names=names,
                doubts=doubts,
                slots=slots,
                outbox=self.settler.inbox,
            )
            for number in range(settings.num_threads)
        ]
        ready_set = ReadySet(settings.redis_url) if settings.redis_url else None
        self.claimer = Claimer(
            settings,
            metrics,
            store=Store(settings, metrics, self.name, "claimer", outage),
            clock=self.clock,
            hints=Hints(ready_set, metrics),
            slots=slots,
            senders=self.senders,
        )
        self.threads: list[Loop] = [self.settler, *self.senders, self.claimer]

    @property
    def alive(self) -> bool:
        """Whether every thread runs."""
        return all(thread.is_alive() for thread in self.threads)

    def ended(self) -> str | None:
        """Name a thread that ended, though nobody told it to; None: all run."""
        gone = [thread.name for thread in self.threads if not thread.is_alive()]
        return f"thread {gone[0]} ended" if gone else None

    def start(self) -> None:
        """Start the threads; they wait for PostgreSQL and Redis by themselves."""
        if not self.settings.webhook_secret:
            logger.warning("webhooks_unsigned", hint="set WEBHOOK_SECRET to sign them")
        for thread in self.threads:
            thread.start()
        logger.info("worker_started", worker=self.name, threads=len(self.senders))

    def stop(self) -> None:
        """Claim nothing more, finish what is being sent, release the rest, settle all. Blocks.

        What the grace is too short for is settled as unknown, or left to the reaper.
        """
        grace_s = self.settings.shutdown_grace_s
        grace_ends = time.monotonic() + grace_s
        self.claimer.stop()
        self.claimer.join(grace_s)  # it may wait for a PostgreSQL that is silent
        for sender in self.senders:
            sender.finish(grace_ends)
        for sender in self.senders:
            sender.join(max(0.0, grace_ends + CUT_OFF_EXTRA_S - time.monotonic()))
            if sender.is_alive():  # somebody keeps it: its row is the reaper's
                logger.error("thread_stuck", thread=sender.name)
                sender.give_back()
        self.settler.finish(grace_ends + SETTLE_EXTRA_S)
        self.settler.join(max(0.0, grace_ends + SETTLE_EXTRA_S - time.monotonic()))
        logger.info("worker_stopped", worker=self.name)


def within_descriptors(settings: Settings) -> Settings:
    """Give each thread fewer sends if the limit of open files asks for it.

    A send takes two: its connection, and one that waits for the next.
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
