"""`notify doctor`: look at everything, and say of each thing that it is fine or what to do."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterable
from contextlib import suppress
from functools import partial

from service.config.settings import Settings
from service.doctor.clock import clock_finding
from service.doctor.connection_fault import connection_fault
from service.doctor.database import checkup_findings, producers_finding, waiting_finding
from service.doctor.days import day_findings
from service.doctor.finding import Finding, judged
from service.doctor.guard import guard_finding
from service.doctor.home import home_finding
from service.doctor.locks import doorbell_finding, lead_finding, listen_finding
from service.doctor.mail import mail_finding
from service.doctor.pauses import pause_findings
from service.doctor.pooler import pooler_finding
from service.doctor.redis import redis_findings
from service.doctor.schema import whole_findings
from service.doctor.transactions import transaction_finding
from service.errors import NotifyError
from service.ledger.connection import LEAD, connect
from service.ledger.doctor_store import DoctorStore

CONNECT_MAX_S = 20.0  # as several hosts may be tried, each for connect_timeout
BUG_ADVICE = "a fault of this program: please report it"


async def examine(settings: Settings) -> AsyncGenerator[Finding, None]:
    """Look at database, doorbell, Redis, webhooks and mail, in this order; change nothing.

    What cannot be looked at is a finding as well, and does not stop the others.
    """
    assert settings.database_url is not None
    fault = await fault_of("DATABASE_URL", settings.database_url)
    if fault:
        yield fault
    ledger, leads = "", False
    if not fault:
        yield await looked("pooler", pooler_finding(settings))
        async with DoctorStore(settings.database_url, "notify-doctor", connections_max=1) as store:
            async for finding in ledger_findings(store, settings):
                yield finding
            with suppress(NotifyError):
                ledger, leads = await leadership(store)
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


async def leadership(store: DoctorStore) -> tuple[str, bool]:
    """Return the ledger's name, and whether a dispatcher of ours leads."""
    ledger, _ = await store.ledger()
    holder = await store.lock_holder(LEAD)
    return ledger, holder is not None and holder.is_ours


async def fault_of(setting: str, url: str) -> Finding | None:
    """Say why a database URL gives no connection; None: it does."""
    try:
        async with asyncio.timeout(CONNECT_MAX_S):
            await (await connect(url, "notify-doctor")).close()
    except (NotifyError, TimeoutError, OSError, ValueError) as error:
        return connection_fault(setting, url, error)
    return None


async def ledger_findings(store: DoctorStore, settings: Settings) -> AsyncIterator[Finding]:
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
        ("pauses", pause_findings(store)),
    ):
        for finding in await all_looked(what, looking):
            yield finding
    yield await looked("home", home_finding(store, settings.environment))
    yield await looked("receivers", guard_finding(store, settings))
    for what, look in (
        ("ledger's clock", clock_finding),
        ("oldest transaction", transaction_finding),
        ("producers", producers_finding),
        ("dispatcher", partial(lead_finding, interval_s=settings.gauges_interval_s)),
        ("doorbell", doorbell_finding),
        ("oldest due", waiting_finding),
    ):
        yield await looked(what, look(store))


async def looked(what: str, looking: Awaitable[Finding]) -> Finding:
    """Wait for one finding. An error becomes a finding, so that the others still come."""
    try:
        return await looking
    except Exception as error:
        return not_seen(what, error)


async def all_looked(what: str, looking: Awaitable[Iterable[Finding]]) -> list[Finding]:
    """Wait for several findings; an error becomes one as well."""
    try:
        return list(await looking)
    except Exception as error:
        return [not_seen(what, error)]


def not_seen(what: str, error: Exception) -> Finding:
    """Say what could not be looked at. Another's error is not quoted: it may hold secrets."""
    if isinstance(error, NotifyError):
        return Finding(what, f"cannot be looked at: {error}", "mend that first, and look again")
    return Finding(what, f"cannot be looked at: {type(error).__name__}", BUG_ADVICE)


def webhook_finding(settings: Settings) -> Finding:
    """Return whether webhooks are signed."""
    count = len(settings.webhook_secret)
    found = f"signed with {count} secret{'s' * (count > 1)}" if count else "unsigned"
    return judged("webhooks", found, bool(count), "set WEBHOOK_SECRET, so that receivers can check")
