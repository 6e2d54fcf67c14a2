"""`notify doctor`: look at everything, and say of each thing that it is fine, or what to do."""

import asyncio
import smtplib
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from service.clock import born_ahead_finding
from service.config.mail_server import MailServer, mail_server, tls_context
from service.config.settings import Settings
from service.dispatch.days import maintenance_finding, room_finding
from service.doctor.connection_fault import connection_fault
from service.doctor.finding import Finding, judged
from service.doctor.redis_finding import redis_findings
from service.doctor.transactions import transaction_finding
from service.errors import NotifyError
from service.ledger.db import BELL, LEAD, connect, translated
from service.ledger.faults import schema_findings
from service.ledger.poolers import pooler_finding
from service.ledger.store import Store
from service.model import Checkup, LockHolder

SKEW_MAX = timedelta(seconds=5)
WAITING_MAX = timedelta(minutes=1)
NOTIFY_USAGE_MAX = 0.01
DAYS_AHEAD_MIN = 2
DAYS_TOLD_MAX = 100
CONNECT_MAX_S = 20.0  # several hosts may be asked, each for connect_timeout
LISTEN_WAIT_S = 2.0
SMTP_WAIT_S = 5.0
BUG_ADVICE = "a fault of this program: please report it"


async def examine(settings: Settings) -> AsyncGenerator[Finding, None]:
    """Look at database, doorbell, Redis, webhooks and mail, in this order; nothing is changed.

    What cannot be looked at is a finding as well, and ends nothing but itself.
    """
    assert settings.database_url is not None
    fault = await fault_of("DATABASE_URL", settings.database_url)
    if fault:
        yield fault
    ledger, leads = "", False
    if not fault:
        yield await looked("pooler", pooler_finding(settings))
        async with Store(settings.database_url, "notify-doctor", connections_max=1) as store:
            async for finding in ledger_findings(store, settings):
                yield finding
            with suppress(NotifyError):
                ledger, leads = await led(store)
    if settings.database_direct_url:
        fault = await fault_of("DATABASE_DIRECT_URL", settings.database_direct_url)
        if fault:
            yield fault
    if not fault:
        yield await looked("LISTEN", listen_finding(settings.direct_url or ""))
    for finding in await all_looked("Redis", redis_findings(settings.redis_url, ledger, leads)):
        yield finding
    yield webhook_finding(settings)
    yield await looked("mail", asyncio.to_thread(mail_finding, settings))


async def led(store: Store) -> tuple[str, bool]:
    """Say which ledger this is, and whether a dispatcher of ours leads."""
    ledger, _ = await store.ledger()
    holder = await store.lock_holder(LEAD)
    return ledger, holder is not None and holder.is_ours


async def fault_of(setting: str, url: str) -> Finding | None:
    """Say what keeps a database URL from giving a connection; None: nothing."""
    try:
        async with asyncio.timeout(CONNECT_MAX_S):
            await (await connect(url, "notify-doctor")).close()
    except (NotifyError, TimeoutError, OSError, ValueError) as error:
        return connection_fault(setting, url, error)
    return None


async def ledger_findings(store: Store, settings: Settings) -> AsyncIterator[Finding]:
    """Look at what is in the database."""
    if missing := await store.missing():
        found, _, advice = missing[0].partition(": ")
        yield Finding("database", found, advice)
        return
    yield Finding("schema", "current")
    for what, looking in (
        ("schema", whole_findings(store)),
        ("ledger", checkup_findings(store)),
        ("days", day_findings(store, settings.retention_days)),
    ):
        for finding in await all_looked(what, looking):
            yield finding
    for what, look in (
        ("ledger's clock", clock_finding),
        ("oldest transaction", transaction_finding),
        ("producers", producers_finding),
        ("dispatcher", lead_finding),
        ("doorbell", doorbell_finding),
        ("oldest due", waiting_finding),
    ):
        yield await looked(what, look(store))


async def whole_findings(store: Store) -> Iterator[Finding]:
    """Say what the schema lacks, and what else is in it."""
    return schema_findings(await store.faults(), await store.strangers())


async def checkup_findings(store: Store) -> Iterator[Finding]:
    """Judge the server, and what waits in the ledger."""
    return database_findings(await store.checkup(), datetime.now(UTC))


async def day_findings(store: Store, retention_days: int) -> list[Finding]:
    """Judge the care for the ledger's days, and the server's room for all of them."""
    retention = timedelta(days=retention_days)
    missing = await store.maintenance(DAYS_AHEAD_MIN, retention, DAYS_TOLD_MAX)
    return [maintenance_finding(missing), room_finding(retention_days, *await store.lock_room())]


async def clock_finding(store: Store) -> Finding:
    """Judge whether the ledger's clock was ahead."""
    return born_ahead_finding(await store.born_ahead())


async def looked(what: str, looking: Awaitable[Finding]) -> Finding:
    """Wait for one finding. Whatever keeps it from being made is one, too: others shall be told."""
    try:
        return await looking
    except Exception as error:
        return not_seen(what, error)


async def all_looked(what: str, looking: Awaitable[Iterable[Finding]]) -> list[Finding]:
    """Wait for several findings, likewise."""
    try:
        return list(await looking)
    except Exception as error:
        return [not_seen(what, error)]


def not_seen(what: str, error: Exception) -> Finding:
    """Say what could not be looked at. Of an error that is not ours only the kind: it may quote."""
    if isinstance(error, NotifyError):
        return Finding(what, f"cannot be looked at: {error}", "mend that first, and look again")
    return Finding(what, f"cannot be looked at: {type(error).__name__}", BUG_ADVICE)


def database_findings(seen: Checkup, now: datetime) -> Iterator[Finding]:
    """Judge what checkup() told. `now` is this machine's clock."""
    version = f"PostgreSQL {seen.server_version_num // 10000}.{seen.server_version_num % 10000}"
    if seen.is_replica:
        yield Finding("server", f"{version}, a replica", "point DATABASE_URL at the primary")
    else:
        yield Finding("server", version)
    skew = abs(seen.now_at - now)
    yield judged(
        "clocks", f"{skew.total_seconds():.1f} s apart", skew <= SKEW_MAX,
        "set both machines' clocks by NTP",
    )  # fmt: skip
    yield judged(
        "leases", f"{seen.expired_leases} passed over a minute ago", not seen.expired_leases,
        "the reaper does not run: look at the dispatcher's log",
    )  # fmt: skip
    yield judged(
        "partitions", f"{seen.days_ahead} days ahead", seen.days_ahead >= DAYS_AHEAD_MIN,
        "the dispatcher makes them hourly: is one leading, and does its log say busy?",
    )  # fmt: skip
    yield judged(
        "default partition", f"{seen.in_default} rows", not seen.in_default,
        "the dispatcher moves them to their day within the hour; if it does not, see its log",
    )  # fmt: skip
    yield judged(
        "NOTIFY queue", f"{seen.notify_usage:.2%} full", seen.notify_usage <= NOTIFY_USAGE_MAX,
        "a listening session is stuck in a transaction, mostly the oldest one: end it",
    )  # fmt: skip


async def producers_finding(store: Store) -> Finding:
    """Say what producers find by the short name. A table of the user's own is no fault."""
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


async def lead_finding(store: Store) -> Finding:
    """Say whether a dispatcher leads, or who holds the leader's lock instead."""
    holder = await store.lock_holder(LEAD)
    if holder is None:
        return Finding(
            "dispatcher", "none leads",
            "start one: notify dispatcher. Until then workers look for themselves, once a second",
        )  # fmt: skip
    if holder.is_ours:
        return Finding("dispatcher", "leading")
    return Finding(
        "dispatcher", f"none leads: its lock is held by {holder}",
        f"no dispatcher of ours: {end_of(holder)}. Until then workers look for themselves",
    )  # fmt: skip


async def doorbell_finding(store: Store) -> Finding:
    """Say whether a stranger keeps the dispatcher from sleeping."""
    holder = await store.lock_holder(BELL)
    if holder is None or holder.is_ours:
        return Finding("doorbell", "free" if holder is None else "armed")
    return Finding(
        "doorbell", f"its lock is held by {holder}",
        f"no dispatcher of ours: {end_of(holder)}. Until then the dispatcher looks again and again",
    )  # fmt: skip


def end_of(holder: LockHolder) -> str:
    """Say how an operator ends it."""
    if holder.pid is None:
        return "roll it back"
    return f"select pg_terminate_backend({holder.pid}), and see what it is"


async def waiting_finding(store: Store) -> Finding:
    """Judge how long what is due has been waiting."""
    waiting = (await store.gauges()).oldest_due_age or timedelta(0)
    return judged(
        "oldest due",
        f"{waiting.total_seconds():.1f} s",
        waiting <= WAITING_MAX,
        "workers do not keep up, or none runs: start more (notify worker)",
    )


async def listen_finding(url: str) -> Finding:
    """Ring ourselves: a transaction pooler would swallow it."""
    advice = "LISTEN does not work there: give DATABASE_DIRECT_URL, past the pooler"
    try:
        listener = await connect(url, "notify-doctor")
        try:
            with translated():
                await listener.execute("listen notify_doctor")
                started = time.monotonic()
                await listener.execute("select pg_notify('notify_doctor', '')")
                rings = [n async for n in listener.notifies(timeout=LISTEN_WAIT_S, stop_after=1)]
        finally:
            await listener.close()
    except NotifyError as error:
        return Finding("LISTEN", str(error), advice)
    took_ms = (time.monotonic() - started) * 1000
    return judged("LISTEN", f"{took_ms:.1f} ms" if rings else "silent", bool(rings), advice)


def webhook_finding(settings: Settings) -> Finding:
    """Say whether webhooks are signed."""
    count = len(settings.webhook_secret)
    found = f"signed with {count} secret{'s' * (count > 1)}" if count else "unsigned"
    return judged("webhooks", found, bool(count), "set WEBHOOK_SECRET, so that receivers can check")


def mail_finding(settings: Settings) -> Finding:
    """Log in to the mail server, and send nothing. Blocks for some seconds at most."""
    if settings.smtp_url is None:
        return Finding("mail", "not configured; set SMTP_URL and MAIL_FROM to send any")
    there = mail_server(settings.smtp_url)
    try:
        with connected(there) as server:
            server.ehlo()
            if not there.is_smtps and server.has_extn("starttls"):
                server.starttls(context=tls_context())
            if there.tls_needed and not isinstance(server.sock, ssl.SSLSocket):
                return Finding(
                    "mail", f"{there.host} offers no STARTTLS, and no password goes out in clear",
                    "see SMTP_URL: smtps://…, or ?tls=optional behind it to send it nevertheless",
                )  # fmt: skip
            if there.user:
                server.login(there.user, there.password)
            server.noop()
    except UnicodeError:
        return Finding("mail", "user or password is not ASCII", "see SMTP_URL")
    except (OSError, smtplib.SMTPException) as error:
        return Finding(
            "mail", f"{there.host}: {error}", "see SMTP_URL: host, port, user and password"
        )
    return Finding("mail", f"{there.host} lets us in")


def connected(there: MailServer) -> smtplib.SMTP:
    """Connect. Raises OSError or SMTPException."""
    if there.is_smtps:
        return smtplib.SMTP_SSL(there.host, there.port, timeout=SMTP_WAIT_S, context=tls_context())
    return smtplib.SMTP(there.host, there.port, timeout=SMTP_WAIT_S)
