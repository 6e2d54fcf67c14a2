"""The server, what waits in the ledger, and which table producers reach."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from service.doctor.days import DAYS_AHEAD_MIN
from service.doctor.finding import Finding, judged
from service.ledger.doctor_store import DoctorStore
from service.model.server import Checkup

SKEW_MAX = timedelta(seconds=5)
WAITING_MAX = timedelta(minutes=1)
NOTIFY_USAGE_MAX = 0.01


async def checkup_findings(store: DoctorStore) -> Iterator[Finding]:
    """Judge the server, and what waits in the ledger."""
    return database_findings(await store.checkup(), datetime.now(UTC))


def database_findings(facts: Checkup, now: datetime) -> Iterator[Finding]:
    """Judge what checkup() returned. `now` is this machine's clock."""
    version = f"PostgreSQL {facts.server_version_num // 10000}.{facts.server_version_num % 10000}"
    if facts.is_replica:
        yield Finding("server", f"{version}, a replica", "point DATABASE_URL at the primary")
    else:
        yield Finding("server", version)
    skew = abs(facts.now_at - now)
    yield judged(
        "clocks", f"{skew.total_seconds():.1f} s apart", skew <= SKEW_MAX,
        "set both machines' clocks by NTP",
    )  # fmt: skip
    yield judged(
        "leases", f"{facts.expired_leases} passed over a minute ago", not facts.expired_leases,
        "the reaper does not run: look at the dispatcher's log",
    )  # fmt: skip
    yield judged(
        "partitions", f"{facts.days_ahead} days ahead", facts.days_ahead >= DAYS_AHEAD_MIN,
        "the dispatcher makes them hourly: is one leading, and does its log say busy?",
    )  # fmt: skip
    yield judged(
        "default partition", f"{facts.in_default} rows", not facts.in_default,
        "the dispatcher moves them to their day within the hour; if it does not, see its log",
    )  # fmt: skip
    yield judged(
        "NOTIFY queue", f"{facts.notify_usage:.2%} full", facts.notify_usage <= NOTIFY_USAGE_MAX,
        "end the session that listens but does not read: in an old transaction, or notify-disp",
    )  # fmt: skip


async def producers_finding(store: DoctorStore) -> Finding:
    """Say which table `notifications` is without a schema. One of the user's own is no fault."""
    schema = await store.schema_found()
    if schema is None:
        return Finding(
            "producers", "`notifications` is found in no schema of the search_path",
            "run notify migrate, which sets it, or name the table notify.notifications",
        )  # fmt: skip
    if schema == "notify":
        return Finding("producers", "`notifications` is ours")
    return Finding(
        "producers",
        f"`notifications` is {schema}'s own table: producers write notify.notifications",
    )


async def waiting_finding(store: DoctorStore) -> Finding:
    """Judge how long what is due has been waiting."""
    waiting = (await store.gauges()).oldest_due_age or timedelta(0)
    return judged(
        "oldest due",
        f"{waiting.total_seconds():.1f} s",
        waiting <= WAITING_MAX,
        "workers do not keep up, or none runs: start more (notify worker)",
    )
