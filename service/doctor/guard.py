"""What the address guard does with the receivers of the last day, also before it is in use."""

import asyncio
import socket
from datetime import timedelta

from service.config.settings import Settings
from service.doctor.finding import Finding
from service.ledger.doctor_store import DoctorStore
from service.names.guard import Guard, place_of
from service.names.lookups import addresses
from service.names.origin import origin, server

PERIOD = timedelta(days=1)
ROWS_MAX = 50_000  # the newest; what failed is left out: most of it the guard has refused before
RECEIVERS_MAX = 200
SHOWN_MAX = 10
LOOK_UP_S = 5.0  # for all names together, which are looked up at once


async def guard_finding(store: DoctorStore, settings: Settings) -> Finding:
    """Say which receivers are refused under the settings of now, and how many webhooks they got."""
    counts: dict[str, int] = {}
    for place, count in await store.receivers(PERIOD, ROWS_MAX, RECEIVERS_MAX):
        name = origin(place or "") or "(no URL)"
        counts[name] = counts.get(name, 0) + count
    judged = await asyncio.gather(*(is_refused(name, settings) for name in counts))
    refused = [name for name, is_so in zip(counts, judged, strict=True) if is_so]
    if not refused:
        return Finding("receivers", f"none of {len(counts)} of the last day is refused")
    shown = ", ".join(f"{name} ({counts[name]})" for name in refused[:SHOWN_MAX])
    more = ", …" if len(refused) > SHOWN_MAX else ""
    return Finding(
        "receivers", f"{len(refused)} of {len(counts)} of the last day are refused: {shown}{more}",
        "if webhooks are to reach them, name them in WEBHOOK_ALLOW, or set WEBHOOK_PRIVATE=true",
    )  # fmt: skip


async def is_refused(url: str, settings: Settings) -> bool:
    """Judge one receiver: its URL, and the addresses that its name has now."""
    guard, known = settings.guard, server(url)
    if guard.refuses(url):
        return True
    if known is None or known.name is None or settings.webhook_proxy_url:
        return False  # an address, which was judged; or the proxy will look the name up
    try:
        async with asyncio.timeout(LOOK_UP_S):
            found = await asyncio.get_running_loop().getaddrinfo(
                known.name, None, type=socket.SOCK_STREAM
            )
    except (OSError, UnicodeError):  # TimeoutError is an OSError
        return False
    return reaches_nothing(guard, url, addresses(list(found)))


def reaches_nothing(guard: Guard, url: str, found: tuple[str, ...]) -> bool:
    """Return whether a name has addresses, and none of them may be connected."""
    place = place_of(url)
    assert place is not None  # or it was refused
    return bool(found) and not any(guard.permits(url, address, place.port) for address in found)
