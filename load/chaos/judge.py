"""Hold the three ledgers against each other: producers', PostgreSQL's and the sink's."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from load.chaos.faults import CUTS
from load.chaos.stand import LEASE_S, Played, Stand

TERMINAL = ("sent", "failed", "expired", "cancelled")
RECORDED = ("webhook", "email")  # what the sink sees; a line of `log` goes nowhere
MAY_HAVE_ARRIVED = ("unknown", "lease_expired")
NOTIFICATIONS = """
select id::text, reference, channel, status, attempt, max_attempts,
  extract(epoch from greatest(created_at, send_at))::float8 as first_due,
  extract(epoch from settled_at)::float8 as settled
from notify.notifications
"""
ATTEMPTS = """
select notification_id::text as id, attempt, outcome, code, worker,
  extract(epoch from started_at)::float8 as started
from notify.attempts order by notification_id, attempt
"""
# The invariants, each as a count of rows that break it.
INVARIANTS = {
    "stuck in queued or sending": """
select count(*) as n from notify.notifications where status in ('queued', 'sending')""",
    "with more attempts than allowed": """
select count(*) as n from notify.notifications where attempt > max_attempts""",
    "settled twice for one attempt": """
select count(*) as n from (select from notify.attempts
  group by notification_id, attempt having count(*) > 1) twice""",
    "sent twice by the ledger": """
select count(*) as n from (select from notify.attempts where outcome = 'sent'
  group by notification_id having count(*) > 1) twice""",
    "sent without the attempt that sent it": """
select count(*) as n from notify.notifications n where status = 'sent' and not exists (
  select from notify.attempts a where (a.notification_id, a.attempt) = (n.id, n.attempt)
  and a.outcome = 'sent')""",
    "with attempts that were never claimed": """
select count(*) as n from notify.attempts a join notify.notifications n on n.id = a.notification_id
where a.attempt > n.attempt""",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """A notification that arrived more often than once; `extra` beyond the first."""

    id: str
    extra: int
    admitted: int  # as many as an attempt accounts for
    attempts: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of everything."""

    offered: Counter[str]  # by result
    in_ledger: Counter[str]  # by result
    statuses: Counter[str]  # of everything in the ledger
    lost: list[str]  # references
    never_arrived: list[str]  # ids
    invariants: dict[str, int]
    duplicates: list[Duplicate]
    slowest_api_s: float
    sent: list[tuple[float, float]] = field(default_factory=list)  # first due, settled
    arrived_at: list[float] = field(default_factory=list)

    @property
    def unexplained(self) -> int:
        """Arrivals that no attempt accounts for."""
        return sum(duplicate.extra - duplicate.admitted for duplicate in self.duplicates)

    @property
    def broken(self) -> list[str]:
        """Name every broken promise about rows."""
        counts = {
            "accepted and lost": len(self.lost),
            "sent that never arrived": len(self.never_arrived),
            "duplicates without an explanation": self.unexplained,
            **{f"rows {what}": count for what, count in self.invariants.items()},
        }
        return [f"{count} {what}" for what, count in counts.items() if count]


def judge(stand: Stand) -> Verdict:
    """Read all ledgers; everything has come to rest by now, or never will."""
    offered = stand.offered()
    rows = stand.servers.sql(NOTIFICATIONS)
    by_reference = {row["reference"]: row for row in rows}
    arrivals = stand.arrivals()
    arrived = Counter(line["id"] for line in arrivals)
    hurt = {pid for role in stand.workers for pid in role.hurt}
    return Verdict(
        offered=Counter(line["result"] for line in offered),
        in_ledger=Counter(line["result"] for line in offered if line["reference"] in by_reference),
        statuses=Counter(row["status"] for row in rows),
        lost=[
            line["reference"]
            for line in offered
            if line["result"] == "accepted"
            and is_lost(by_reference.get(line["reference"]), arrived)
        ],
        never_arrived=[
            row["id"]
            for row in rows
            if row["status"] == "sent" and row["channel"] in RECORDED and not arrived[row["id"]]
        ],
        invariants={what: stand.servers.sql(query)[0]["n"] for what, query in INVARIANTS.items()},
        duplicates=duplicates(arrived, attempts_of(stand), stand.played, hurt),
        slowest_api_s=max((ln["took_s"] for ln in offered if ln["how"] == "http"), default=0.0),
        sent=[(row["first_due"], row["settled"]) for row in rows if row["status"] == "sent"],
        arrived_at=sorted(line["at"] for line in arrivals),
    )


def is_lost(row: dict[str, Any] | None, arrived: Mapping[str, int]) -> bool:
    """Neither terminal nor arrived: nobody will ever get it."""
    return row is None or (row["status"] not in TERMINAL and not arrived[row["id"]])


def attempts_of(stand: Stand) -> dict[str, list[dict[str, Any]]]:
    """Read the attempts, by notification."""
    by_id = defaultdict(list)
    for row in stand.servers.sql(ATTEMPTS):
        by_id[row["id"]].append(row)
    return by_id


def duplicates(
    arrived: Mapping[str, int],
    attempts: Mapping[str, list[dict[str, Any]]],
    played: Sequence[Played],
    hurt: set[int],
) -> list[Duplicate]:
    """Explain each: one attempt may bring one arrival, if nobody could know that it had."""
    explained = []
    for id, count in arrived.items():
        if count > 1:
            ours = attempts.get(id, [])
            windows = sum(in_window(attempt, played, hurt) for attempt in ours)
            admitted = min(count - 1, windows)
            explained.append(Duplicate(id=id, extra=count - 1, admitted=admitted, attempts=ours))
    return explained


def in_window(attempt: Mapping[str, Any], played: Sequence[Played], hurt: set[int]) -> bool:
    """Whether this attempt may have arrived though the ledger does not know it.

    Its outcome was unknown; or its lease passed because its worker was killed or paused, or because
    PostgreSQL could not be reached in time.
    """
    if attempt["outcome"] != "lease_expired":
        return attempt["outcome"] in MAY_HAVE_ARRIVED
    if int(attempt["worker"].rpartition(":")[2].partition("-")[0]) in hurt:
        return True
    ends = attempt["started"]  # of such a row, the end of its lease
    return any(
        fault.name in CUTS
        and fault.began < ends
        and fault.ended + CUTS[fault.name] > ends - LEASE_S
        for fault in played
    )
