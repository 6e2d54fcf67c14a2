"""The fuse against clones: in a copy, the leader leaves alone what the original sends."""

import time
from collections.abc import Awaitable, Callable

from loguru import logger

from service.config.settings import Settings
from service.dispatch.offering import Offering
from service.ledger.leader_store import LeaderStore
from service.logs.copied import Copied
from service.metrics import DispatcherMetrics

LEAD_MAX_S = 60.0  # in a copy: then one whose ENVIRONMENT is right may lead, if there is one


class Fuse:
    """Knows whether the ledger is at home for this dispatcher. It asks when it begins to lead."""

    def __init__(
        self,
        settings: Settings,
        store: LeaderStore,
        metrics: DispatcherMetrics,
        offering: Offering | None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._copied = Copied(settings.environment, metrics.ledger_is_copy)
        self._offering = offering
        self._led_from = time.monotonic()
        self._has_kept = False  # the settings, since we lead

    @property
    def is_blown(self) -> bool:
        """Whether the ledger is a copy for us."""
        return self._copied.is_copy

    @property
    def has_led_enough(self) -> bool:
        """Whether another dispatcher should have a chance to lead."""
        return self.is_blown and time.monotonic() - self._led_from > LEAD_MAX_S

    async def begin(self) -> None:
        """Ask where we are, before anything is offered or reaped. Raises DatabaseAway."""
        self._led_from = time.monotonic()
        self._has_kept = False
        await self.look()

    async def keep(self) -> None:
        """Let SQL know of our settings, once per lead, and look again."""
        if not self._has_kept:
            done = await self._store.keep_settings(self._settings)
            self._has_kept = done != "copy"
            if done in ("declared", "moved"):
                logger.warning("ledger_home", done=done, environment=self._settings.environment)
        await self.look()

    async def look(self) -> None:
        """Ask where we are: somebody may have adopted the ledger, or renamed its home."""
        was_blown = self.is_blown
        self._copied.see(await self._store.home(self._settings.environment))
        if self.is_blown:
            await self._store.notice_copy(self._settings.environment)
        elif was_blown and self._offering:
            self._offering.begin_anew()  # who is adopted gets a new name

    def guarded(
        self, run_once: Callable[[], Awaitable[float | None]]
    ) -> Callable[[], Awaitable[float | None]]:
        """Make a job that does nothing in a copy."""

        async def run() -> float | None:
            return None if self.is_blown else await run_once()

        return run
