"""`notify doctor`: look at everything, and say of each thing that it is fine, or what to do."""

import asyncio
import smtplib
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

from service.clock import born_ahead_finding
from service.config import Settings
from service.days import maintenance_finding, room_finding
from service.db import BELL, LEAD, connect, translated
from service.errors import NotifyError
from service.faults import schema_findings
from service.finding import Finding, judged
from service.mail_server import MailServer, mail_server, tls_context
from service.model import Checkup, Gauges, LockHolder
from service.poolers import pooler_finding
from service.redis_finding import redis_findings
from service.store import Store

SKEW_MAX = timedelta(seconds=5)
WAITING_MAX = timedelta(minutes=1)
TRANSACTION_MAX = timedelta(minutes=5)
NOTIFY_USAGE_MAX = 0.01
DAYS_AHEAD_MIN = 2
LISTEN_WAIT_S = 2.0
SMTP_WAIT_S = 5.0


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Look at database, doorbell, Redis, webhooks and mail, in this order; nothing is changed."""
    assert settings.database_url is not None
    yield await pooler_finding(settings)
    async with Store(settings.database_url, "notify-doctor", connections_max=1) as store:
        if missing := await store.missing():
            found, _, advice = missing[0].partition(": ")
            yield Finding("database", found, advice)
            return
        yield Finding("schema", "current")
        for finding in schema_findings(await store.faults(), await store.strangers()):
            yield finding
        for finding in database_findings(await store.checkup(), datetime.now(UTC)):
            yield finding
        retention = timedelta(days=settings.retention_days)
        yield maintenance_finding(await store.maintenance(DAYS_AHEAD_MIN, retention, 100))
        yield room_finding(settings.retention_days, *await store.lock_room())
        yield born_ahead_finding(await store.born_ahead())
        ledger, _ = await store.ledger()
        leader = await store.lock_holder(LEAD)
        yield lead_finding(leader)
        yield doorbell_finding(await store.lock_holder(BELL))
        yield waiting_finding(await store.gauges())
    yield await listen_finding(settings.direct_url or "")
    for finding in await redis_findings(
        settings.redis_url, ledger, bool(leader and leader.is_ours)
    ):
        yield finding
    yield webhook_finding(settings)
    yield await asyncio.to_thread(mail_finding, settings)


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
        "a listening session is stuck in a transaction: find it in pg_stat_activity and end it",
    )  # fmt: skip
    oldest = seen.oldest_transaction_age or timedelta(0)
    yield judged(
        "oldest transaction", f"{oldest.total_seconds():.0f} s", oldest <= TRANSACTION_MAX,
        "it keeps dead rows from being cleaned up: find it in pg_stat_activity",
    )  # fmt: skip
    yield judged(
        "producers", f"`notifications` is {'ours' if seen.finds_table else 'another table'}",
        seen.finds_table, "producers of this role name the table notify.notifications",
    )  # fmt: skip


def lead_finding(holder: LockHolder | None) -> Finding:
    """Say whether a dispatcher leads, or who holds the leader's lock instead."""
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


def doorbell_finding(holder: LockHolder | None) -> Finding:
    """Say whether a stranger keeps the dispatcher from sleeping."""
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


def waiting_finding(gauges: Gauges) -> Finding:
    """Judge how long what is due has been waiting."""
    waiting = gauges.oldest_due_age or timedelta(0)
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
