"""The oldest transaction: it keeps dead rows of all tables from being cleaned up."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from service.doctor.finding import Finding
from service.ledger.doctor_store import DoctorStore

AGE_MAX = timedelta(minutes=5)
HIDDEN_MAX = 10_000  # transactions that began after one whose own time is hidden

# A role without pg_read_all_stats does not see when the transaction of another role began, or its
# state. It does see who that is, and how old its oldest snapshot is.
OLDEST = """
select pid, role, application, gid, state, since,
  pg_catalog.clock_timestamp() - since as age, transactions
from (
  select a.pid, a.usename::text as role, a.application_name as application, null as gid,
    coalesce(a.state, 'what it does is hidden') as state, a.xact_start as since,
    pg_catalog.age(coalesce(a.backend_xmin, a.backend_xid)) as transactions
  from pg_catalog.pg_stat_activity a
  where a.datname = pg_catalog.current_database()
    and a.application_name <> pg_catalog.current_setting('application_name')
    and a.backend_type is distinct from 'autovacuum worker'
    and (a.xact_start is not null or a.backend_xmin is not null or a.backend_xid is not null)
  union all
  select null, p.owner::text, '', p.gid, 'prepared', p.prepared, pg_catalog.age(p.transaction)
  from pg_catalog.pg_prepared_xacts p
  where p.database = pg_catalog.current_database()
) as open
where since is not null or transactions > %s
order by since < pg_catalog.clock_timestamp() - %s desc nulls last,
  since is null desc, since, transactions desc
limit 1
"""


class Oldest(NamedTuple):
    """The oldest open transaction. `pid` None: it is prepared, as `gid`; `since` None: hidden."""

    pid: int | None
    role: str | None
    application: str | None
    gid: str | None
    state: str
    since: datetime | None
    age: timedelta | None
    transactions: int | None

    def __str__(self) -> str:
        who = f"pid {self.pid}" if self.pid else f"prepared transaction {self.gid!r}"
        began = f" since {self.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if self.since else ""
        return (
            f"{who}, role {self.role}, application {self.application or '-'}, {self.state}{began}"
        )

    @property
    def end(self) -> str:
        """The SQL with which an operator ends it."""
        if self.pid:
            return f"select pg_terminate_backend({self.pid})"
        return "rollback prepared '{}'".format((self.gid or "").replace("'", "''"))


async def transaction_finding(
    store: DoctorStore, age_max: timedelta = AGE_MAX, hidden_max: int = HIDDEN_MAX
) -> Finding:
    """Say how old the oldest transaction is, and whose."""
    async with store.pool.connection() as conn:
        row = await (await conn.execute(OLDEST, [hidden_max, age_max])).fetchone()
    if row is None:
        return Finding("oldest transaction", "none")
    oldest = Oldest(*row)
    if oldest.age is None:
        age = f"{oldest.transactions} transactions ago (pg_read_all_stats would show the time)"
        return Finding("oldest transaction", f"{oldest}, begun {age}")
    found = f"{oldest.age.total_seconds():.0f} s"
    if oldest.age <= age_max:
        return Finding("oldest transaction", found)
    return Finding(
        "oldest transaction",
        f"{found}: {oldest}",
        f"it keeps dead rows from being cleaned up: let it end, or {oldest.end}",
    )
