"""The care for the ledger's days, and the server's room for all of them."""

from datetime import datetime, timedelta

from service.dispatch.days import lock_advice
from service.doctor.finding import Finding
from service.ledger.doctor_store import DoctorStore

DAYS_AHEAD_MIN = 2
DAYS_SHOWN_MAX = 100


async def day_findings(store: DoctorStore, retention_days: int) -> list[Finding]:
    """Judge the care for the ledger's days, and the server's room for all of them."""
    retention = timedelta(days=retention_days)
    missing = await store.maintenance(DAYS_AHEAD_MIN, retention, DAYS_SHOWN_MAX)
    kept_until = await store.forget_from()
    return [
        maintenance_finding(missing, kept_until),
        room_finding(retention_days, *await store.lock_room()),
    ]


def room_finding(retention_days: int, per_transaction: int, transactions: int) -> Finding:
    """Judge whether the server has enough locks to open every day at once."""
    found = f"max_locks_per_transaction = {per_transaction}"
    return Finding("locks", found, lock_advice(retention_days, per_transaction, transactions))


def maintenance_finding(
    missing: list[tuple[str, str, str | None]], kept_until: datetime | None = None
) -> Finding:
    """Judge what maintenance() returned; name the first partition of each step.

    `kept_until`: when old days may go again. Until then they may be young, by a wrong clock.
    """
    if kept_until is not None:
        missing = [one for one in missing if one[0] != "drop_days"]
    if kept_until is not None and not missing:
        until = f"{kept_until:%Y-%m-%d %H:%M %Z}"
        return Finding(
            "days", f"made ahead; old ones stay until {until}: the clock jumped, or none led"
        )
    if not missing:
        return Finding("days", "made ahead, and dropped after their retention")
    first: dict[str, str] = {}
    for step, partition, cause in missing:
        first.setdefault(step, partition + (f" ({cause})" if cause else ""))
    what = {"make_days": "missing ahead", "drop_days": "over retention"}
    return Finding(
        "days",
        "; ".join(f"{what[step]}: {partition}" for step, partition in first.items()),
        "the dispatcher sees to it hourly: take away what it names; else see its log",
    )
