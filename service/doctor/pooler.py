"""The pooler, if any, between us and PostgreSQL."""

from service.config.settings import Settings
from service.doctor.finding import Finding
from service.errors import DatabaseAway
from service.ledger.db import translated
from service.ledger.poolers import connected, pooled, shares_sessions

DATABASE = (
    "select pg_catalog.pg_postmaster_start_time(), d.oid from pg_catalog.pg_database d"
    " where d.datname operator(pg_catalog.=) pg_catalog.current_database()"
)


async def pooler_finding(settings: Settings) -> Finding:
    """Return whether a pooler stands between, and whether both URLs lead to the same database."""
    url, direct_url = settings.database_url or "", settings.direct_url or ""
    try:
        if await shares_sessions(direct_url):
            found, _, advice = pooled(settings).partition(": ")
            return Finding("pooler", found, advice)
        async with connected(url) as ours, connected(direct_url) as direct:
            with translated():
                databases = [await (await c.execute(DATABASE)).fetchall() for c in (ours, direct)]
    except DatabaseAway as error:
        return Finding("pooler", str(error), "see DATABASE_URL and DATABASE_DIRECT_URL")
    if databases[0] != databases[1]:
        return Finding(
            "pooler", "DATABASE_URL and DATABASE_DIRECT_URL lead to different databases",
            "locks and doorbells would be in the wrong one: correct one of them",
        )  # fmt: skip
    if not ours.pins:
        return Finding("pooler", "none")
    found = "past it" if url != direct_url else "one of sessions"
    return Finding("pooler", f"{found}; settings go along with each statement")
