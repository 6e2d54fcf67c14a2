"""What is wrong, in words, with the command, the link or the button that helps. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from service.console.destination_troubles import dead_troubles, failing_troubles, pause_troubles
from service.console.places import ALIVE
from service.console.stuck_troubles import stuck_troubles
from service.console.trouble import Trouble, sentence
from service.doctor.finding import Finding
from service.ledger.now_store import Standing
from service.model.notification import Sentence
from service.model.pause import Pause
from service.model.server import LockHolder

FIGURES_INTERVALS = 3  # the leader's figures are old after so many of its intervals,
FIGURES_AGE_MIN = timedelta(seconds=15)  # and not before
LISTED_MAX = 5


def troubles(
    standing: Standing,
    figures_at: datetime | None,
    interval_s: float,
    findings: Sequence[Finding],
    *,
    why_overdue: Sequence[Sentence] = (),
    pauses: Sequence[Pause] = (),
) -> list[Trouble]:
    """Say what is wrong, what stops most first. `why_overdue`: explain() of the first overdue."""
    return [
        *leader_troubles(standing, figures_at, interval_s),
        *worker_troubles(standing),
        *stuck_troubles(standing.stuck, why_overdue),
        *dead_troubles(standing.kept_back, pauses),
        *failing_troubles(standing.failing, standing.kept_back, pauses),
        *pause_troubles(pauses, standing.now_at),
        *finding_troubles(findings),
    ]


def leader_troubles(
    standing: Standing, figures_at: datetime | None, interval_s: float
) -> Iterator[Trouble]:
    """Say that nobody leads, or that who leads does not do its work."""
    leader = standing.leader
    if leader is not None and not leader.is_ours:
        yield Trouble(
            title="No dispatcher leads",
            text=f"Its lock is held by {leader}, which is no dispatcher of ours: see what it is,"
            f" and {'roll it back' if leader.pid is None else 'end it in psql'}. Workers look for"
            " what is due themselves, each second, and nobody takes back what dead workers hold.",
            since=figures_at,
            command=end_of(leader),
        )
    elif leader is None and are_old(figures_at, standing.now_at):
        yield Trouble(
            title="No dispatcher leads",
            text="Workers look for what is due themselves, each second. Nobody takes back what dead"
            " workers hold, makes the days to come, or counts: the figures here stay as they were."
            " Start a dispatcher; if one runs, its log says what keeps it from leading.",
            since=figures_at,
            command="notify dispatcher",
        )
    elif leader and figures_at and are_old(figures_at, standing.now_at, interval_s):
        yield Trouble(
            title="A dispatcher leads, but counts nothing",
            text=f"It is {leader}, a session of PostgreSQL. The process hangs, is stopped, or one"
            " of its jobs fails. Its log says which; if it logs nothing, end that session in psql:"
            " a dispatcher that stands by takes over at once. If none does, start one.",
            since=figures_at,
            command=end_of(leader),
        )


def end_of(leader: LockHolder) -> str:
    """Write the statement that ends a session; "": there is none."""
    return "" if leader.pid is None else f"select pg_terminate_backend({leader.pid})"


def are_old(figures_at: datetime | None, now_at: datetime, interval_s: float = 0.0) -> bool:
    """Return whether the leader's figures are older than they can be while one leads.

    `interval_s` 0: than a change of leaders takes.
    """
    if figures_at is None:
        return True
    age_max = max(timedelta(seconds=FIGURES_INTERVALS * interval_s), FIGURES_AGE_MIN)
    return now_at - figures_at > age_max


def worker_troubles(standing: Standing) -> Iterator[Trouble]:
    """Say that no worker lives."""
    if standing.beat_at is None or standing.now_at - standing.beat_at > ALIVE:
        yield Trouble(
            title="No worker is heard of",
            text="Nothing is sent until one runs. What is queued is kept.",
            since=standing.beat_at,
            command="notify worker",
        )


def finding_troubles(findings: Sequence[Finding]) -> Iterator[Trouble]:
    """Repeat what the doctor advises: what one cure helps is one trouble."""
    by_cure: dict[tuple[str, str], list[str]] = {}
    for f in findings:
        if f.advice:
            by_cure.setdefault((f.what, f.advice), []).append(f.found)
    for (what, advice), (first, *others) in by_cure.items():
        also = f" That helps here as well: {listed(others)}." if others else ""
        yield Trouble(
            title=f"{what[:1].upper()}{what[1:]}: {first}", text=f"{sentence(advice)}{also}"
        )


def listed(texts: Sequence[str]) -> str:
    """Write the first of some texts, and how many more there are."""
    more = len(texts) - LISTED_MAX
    return "; ".join(texts[:LISTED_MAX]) + (f"; and {more} more" if more > 0 else "")
