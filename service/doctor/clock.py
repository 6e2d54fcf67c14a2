"""Whether the ledger's clock was ahead."""

from datetime import datetime

from service.doctor.finding import Finding, judged
from service.ledger.store import Store


async def clock_finding(store: Store) -> Finding:
    """Judge whether the ledger's clock was ahead."""
    return born_ahead_finding(await store.born_ahead())


def born_ahead_finding(newest: datetime | None) -> Finding:
    """Judge by the newest row that was created later than now: then the clock was ahead."""
    found = "never ahead" if newest is None else f"rows were created at {newest:%Y-%m-%d %H:%M:%S}Z"
    return judged(
        "ledger's clock", found, newest is None,
        "it was ahead, or is behind now: set the database host's clock by NTP. What it has put "
        "off, the leader pulls back",
    )  # fmt: skip
