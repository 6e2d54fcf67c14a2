"""What pages beside the API are made of: app.py hands it to whoever adds some."""

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from service.access.ring import KeyRing
from service.api.door import Door
from service.api.measured import Measured
from service.api.read_limit import ReadLimit
from service.clock import Clock
from service.config.settings import Settings
from service.ledger.enqueue_store import EnqueueStore
from service.ledger.read_store import ReadStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The application before its last route, and what its handlers have.

    `reads`: the store for what only reads; `lists`: lets few of its long reads run at once, pages'
    too; `inbox_url`: of an inbox in the same process, if any.
    """

    app: web.Application
    settings: Settings
    store: EnqueueStore
    reads: ReadStore
    lists: ReadLimit
    door: Door
    ring: KeyRing
    measured: Measured
    clock: Clock
    inbox_url: str | None
    is_sandbox: bool


AddPages = Callable[[Parts], None]
