"""The looks of `notify doctor` that cost little: a page may ask for them again and again."""

from collections.abc import Iterator

from service.config.settings import Settings
from service.doctor.clock import clock_finding
from service.doctor.database import checkup_findings
from service.doctor.days import day_findings
from service.doctor.doctor import all_looked, leadership, looked
from service.doctor.finding import Finding
from service.doctor.home import home_finding
from service.doctor.locks import doorbell_finding
from service.doctor.redis import redis_findings
from service.doctor.schema import schema_findings
from service.doctor.transactions import transaction_finding
from service.ledger.doctor_store import DoctorStore


async def glance(store: DoctorStore, settings: Settings) -> list[Finding]:
    """Look at database, doorbell and, where REDIS_URL is set, Redis; change nothing.

    Left out is what reads many rows, looks names up, opens sessions of its own, logs in elsewhere
    or locks each day: receivers, LISTEN, mail, the pooler, and some functions of the schema.
    """
    if missing := await store.missing():
        return [missing_finding(text) for text in missing]
    findings = [Finding("schema", "current")]
    for what, looking in (
        ("schema", slowing_findings(store)),
        ("ledger", checkup_findings(store)),
        ("days", day_findings(store, settings.retention_days)),
    ):
        findings += await all_looked(what, looking)
    findings.append(await looked("home", home_finding(store, settings.environment)))
    for what, look in (
        ("ledger's clock", clock_finding),
        ("oldest transaction", transaction_finding),
        ("doorbell", doorbell_finding),
    ):
        findings.append(await looked(what, look(store)))
    if settings.redis_url is not None:
        ledger, leads = await leadership(store)
        findings += await all_looked("Redis", redis_findings(settings.redis_url, ledger, leads))
    return findings


async def slowing_findings(store: DoctorStore) -> Iterator[Finding]:
    """Say what the schema lacks that stops nothing: the road is slower, or less is guarded."""
    return schema_findings(await store.faults(calls_all=False), [])


def missing_finding(text: str) -> Finding:
    """Make a finding of a line of Store.missing()."""
    found, _, advice = text.partition(": ")
    return Finding("database", found, advice)
