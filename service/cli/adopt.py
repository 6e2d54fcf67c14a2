"""`notify adopt`: send from here, although the ledger was copied from elsewhere."""

import argparse
from typing import Any

from service.cli.output import say, show
from service.cli.running import on_our_loop
from service.cli.settings import settings_beside_up
from service.config.postgres_url import place
from service.config.settings import Settings
from service.errors import TryLater
from service.ledger.adopt_store import AdoptStore

DISCARD_MAX = 1000  # rows per call


def run(args: argparse.Namespace) -> int:
    """Adopt the ledger, and print what was done."""
    settings = settings_beside_up(args)

    async def adopt() -> int:
        did = await adopted(settings, discards=args.discard)
        if args.json:
            show(did)
        else:
            say(lines(did, place(settings.database_url or "")))
        return 0

    return on_our_loop(adopt())


async def adopted(settings: Settings, *, discards: bool) -> dict[str, Any]:
    """Make this the ledger's home; first cancel what its original sends, if that is wanted."""
    environment, discarded = settings.environment, 0
    async with AdoptStore(settings.database_url or "", "notify-adopt", connections_max=1) as store:
        home = await store.home(environment)
        if discards and not home.is_home:
            discarded = await discard_all(store, environment)
        done = await store.adopt(environment, discarded)
    return {
        "done": done,
        "environment": environment,
        "was": home.environment,
        "discarded": discarded,
    }


async def discard_all(store: AdoptStore, environment: str | None) -> int:
    """Cancel batch after batch; returns how many. Raises TryLater if some cannot be cancelled."""
    total = 0
    while True:
        matched, discarded = await store.discard(environment, DISCARD_MAX)
        total += discarded
        if not matched:
            return total
        if not discarded:
            raise TryLater(
                f"nothing was adopted: {total} were cancelled, and {matched} or more are locked by"
                " somebody, or kept by a trigger; try again when they are not"
            )


def lines(did: dict[str, Any], where: str) -> list[str]:
    """Say in words what was done."""
    name = f", as {did['environment']}" if did["environment"] else ""
    if did["done"] == "home":
        return [f"at home already{name}, nothing was changed: {where}"]
    if did["done"] == "declared":
        return [f"at home already, and from now on{name}: {where}"]
    return [
        f"adopted{name}: {where} sends what is queued there within some seconds",
        f"{did['discarded']} that were queued or being sent before were cancelled",
    ]
