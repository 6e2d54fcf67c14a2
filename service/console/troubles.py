"""What is wrong, in words, with the command, the link or the button that helps. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from service.api.read import own_words
from service.console import places
from service.console.places import ALIVE, CAN_BE_PROBED, Verb
from service.doctor.finding import Finding
from service.ledger.now_store import FAILING_MAX, KEPT_BACK_MAX, Failing, KeptBack, Standing, Stuck
from service.model import LockHolder, Pause, Sentence

FIGURES_INTERVALS = 3  # the leader's figures are old after so many of its intervals,
FIGURES_AGE_MIN = timedelta(seconds=15)  # and not before
DEAD_SHOWN = 3
NETWORK = frozenset({"dns", "connect_failed", "timeout"})  # what one's own network brings about
FAILING_SHOWN = 3
FORGOTTEN = timedelta(days=1)  # a pause that is older, and for which something waits
FORGOTTEN_SHOWN = 3
LISTED_MAX = 5
REFUSED_PATH = "/console/search?status=queued&last_error_code=refused"
RAISED_IN = re.compile(r" \((?:PL/pgSQL|SQL) function .*\)\Z")
CAUSES_FEW = 2  # with more of them, the search is offered beside each
SAID_ELSEWHERE = frozenset({"no_worker", "no_dispatcher", "enqueued"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One thing to do something about. `links`: text and path of the screens that show more."""

    title: str
    text: str
    since: datetime | None = None
    command: str = ""
    links: tuple[tuple[str, str], ...] = ()
    verbs: tuple[Verb, ...] = ()


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


def stuck_troubles(stuck: Sequence[Stuck], why_overdue: Sequence[Sentence]) -> Iterator[Trouble]:
    """Name the rows that nothing moves by itself."""
    refused: dict[str, list[Stuck]] = {}
    for row in stuck:
        if row.kind == "refused":
            refused.setdefault(cause_of(row), []).append(row)
    for rows in refused.values():
        yield refused_trouble(rows, are_many=len(refused) > CAUSES_FEW)
    overdue = [row for row in stuck if row.kind == "overdue"]
    if overdue:
        first = min(overdue, key=lambda row: row.since)
        why = [s for s in why_overdue if s.code not in SAID_ELSEWHERE]
        yield Trouble(
            title="What is due waits",
            text=" ".join(s.sentence for s in why)
            or "Workers do not keep up, or something keeps them.",
            since=first.since,
            command=next((s.command for s in why if s.command), ""),
            links=(("See the one that waits longest", path_of(first)),),
        )
    for row in stuck:
        if row.kind == "unsettled":
            yield Trouble(
                title="PostgreSQL refuses to write down what became of a notification",
                text=f"{in_the_way(row)} The attempt has ended, and is not made again: what became"
                " of it is written down within two minutes once that is allowed.",
                since=row.since,
                links=(("See the notification", path_of(row)),),
            )
    for row in stuck:
        if row.kind == "lease":
            yield Trouble(
                title="A worker is gone, and nobody took back what it held",
                text="The dispatcher takes back what dead workers hold. If one leads, its log says"
                " refused_by_database: a trigger or a constraint is in the way.",
                since=row.since,
                links=(("See the notification", path_of(row)),),
            )
            break


def refused_trouble(rows: Sequence[Stuck], *, are_many: bool) -> Trouble:
    """Say that PostgreSQL refuses to move one, or several for the same cause.

    `are_many`: there are so many causes that not all may be shown.
    """
    why = in_the_way(rows[0])
    first = ("See the notification", path_of(rows[0]))
    all_of_them = ("Search for all of them", REFUSED_PATH)
    if len(rows) == 1:
        return Trouble(
            title="PostgreSQL refuses to move a notification",
            text=f"{why} It is tried again each minute; cancel it if nobody needs it, and if that"
            " is not refused as well.",
            links=(first, all_of_them) if are_many else (first,),
            verbs=(cancel(rows[0]),),
        )
    return Trouble(
        title=f"PostgreSQL refuses to move at least {len(rows)} notifications",
        text=f"{why} They are tried again each minute.",
        links=(first, all_of_them),
    )


def cause_of(row: Stuck) -> str:
    """Return what the messages of one cause share: the function that notify.culprit() adds.

    The words before it may quote the row. Without it, the whole message.
    """
    error = row.error or ""
    raised_in = RAISED_IN.search(error)
    return raised_in[0] if raised_in else error


def in_the_way(row: Stuck) -> str:
    """Write PostgreSQL's message, and whom to ask.

    It may quote the recipient: it is written as who may not see that reads it.
    """
    error = own_words(row.recipient, "refused", row.error)
    theirs = "a trigger or a constraint that is not ours is in the way. Ask its owner."
    if error:
        return f"{error}: {theirs}"
    return f"It does not say why: {theirs} The worker's log says why: refused_by_database."


def dead_troubles(kept_back: Sequence[KeptBack], pauses: Sequence[Pause]) -> Iterator[Trouble]:
    """Name the destinations that do not answer."""
    dead = one_of_each_code_first([d for d in kept_back if d.state == "breaker"])
    for d in dead[:DEAD_SHOWN]:
        button = probe(d, pauses)
        yield Trouble(
            title=f"{d.destination or 'The mail server'} does not answer",
            text=advised(d.meaning or "It failed again and again", d.advice)
            + " What is for it waits in the queue, and at first loses no attempts; one at a time"
            " asks whether it is back, and within 10 s of its return the others follow.",
            since=d.since,
            links=(("See the destination", places.path_of(d.channel, d.destination)),),
            verbs=(button,) if button else (),
        )
    if more := dead[DEAD_SHOWN:]:
        at_least = "At least " if len(kept_back) == KEPT_BACK_MAX else ""
        yield Trouble(
            title=f"{at_least}{len(more)} more"
            f" {'destination does' if len(more) == 1 else 'destinations do'} not answer",
            text="If that is all of them, look at this machine's own network, name servers and"
            " proxy first."
            if all(d.code in NETWORK for d in dead)
            else "They have causes of their own: see each of them.",
            links=(("See all of them below", "#kept-back"),),
        )


def one_of_each_code_first(dead: Sequence[KeptBack]) -> list[KeptBack]:
    """Move up the first of each code: many with one cause hide no other cause."""
    firsts = {d.code: d for d in reversed(dead)}
    return sorted(dead, key=lambda d: firsts[d.code] is not d)


def failing_troubles(
    failing: Sequence[Failing], kept_back: Sequence[KeptBack], pauses: Sequence[Pause]
) -> Iterator[Trouble]:
    """Name the destinations that took nothing lately, though too little for a breaker.

    Nothing is sent to one that is paused: its failures are of before.
    """
    dead = {(d.channel, d.destination) for d in kept_back if d.state == "breaker"}
    found = [
        d
        for d in failing
        if (d.channel, d.destination) not in dead
        and not is_paused(d.channel, d.destination, pauses)
    ]
    for d in found[:FAILING_SHOWN]:
        yield Trouble(
            title=f"{d.destination} took nothing of what was sent to it",
            text=f"All of the last quarter of an hour failed: {d.sends:,}, counted up to"
            f" {moment(d.counted_to)}. {advised(d.meaning, d.advice)} What may succeed later is"
            " tried again.",
            since=d.since,
            links=(("See the destination", places.path_of(d.channel, d.destination)),),
        )
    more = len(found) - FAILING_SHOWN
    if more > 0:
        at_least = "At least " if len(failing) == FAILING_MAX else ""
        yield Trouble(
            title=f"{at_least}{more} more {'destination' if more == 1 else 'destinations'} took"
            " nothing of what was sent",
            text="All of the last quarter of an hour failed there, too.",
            links=(("See the destinations", "/console/destinations"),),
        )


def pause_troubles(pauses: Sequence[Pause], now_at: datetime) -> Iterator[Trouble]:
    """Name the pauses that somebody may have forgotten, the oldest first."""
    old = sorted(
        (
            p
            for p in pauses
            if p.resumed_at is None and p.waiting != 0 and now_at - p.paused_at > FORGOTTEN
        ),
        key=lambda p: p.paused_at,
    )
    for p in old[:FORGOTTEN_SHOWN]:
        button = places.resume(p)
        yield Trouble(
            title=f"{p.kind.capitalize()} {p.name} has been paused for more than a day",
            text=f"{waiting(p)} for it, and {'goes' if p.waiting == 1 else 'go'} out only when it"
            " is resumed. If that is meant to be, cancel what nobody needs any more.",
            since=p.paused_at,
            command=f"notify resume {p.id}",
            links=(("See the pauses", "#kept-back"),),
            verbs=(button,) if button else (),
        )
    more = len(old) - FORGOTTEN_SHOWN
    if more > 0:
        yield Trouble(
            title=f"{more} more {'pause is' if more == 1 else 'pauses are'} older than a day",
            text="For each of them something waits. Resume what may go on.",
            links=(("See the pauses", "#kept-back"),),
        )


def waiting(pause: Pause) -> str:
    """Say how many wait for a pause; more than enough of them are not counted."""
    if pause.waiting is None:
        return "Some wait"
    if pause.waiting == 1:
        return "1 waits"
    or_more = " or more" if pause.waiting >= places.WAITING_MAX else ""
    return f"{pause.waiting:,}{or_more} wait"


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


def cancel(row: Stuck) -> Verb:
    """Make the button that calls a notification off."""
    return Verb(
        name="Cancel it",
        url=f"/notifications/{row.id}/cancel",
        ask="Cancel this notification? It will not be sent.",
        done="Cancelled.",
        look="danger",
    )


def probe(d: KeptBack, pauses: Sequence[Pause]) -> Verb | None:
    """Make the button that has a destination tried; None: that could not end what keeps it back."""
    if d.state not in CAN_BE_PROBED or is_paused(d.channel, d.destination, pauses):
        return None
    return places.probe(d.channel, d.destination)


def is_paused(channel: str, destination: str, pauses: Sequence[Pause]) -> bool:
    """Return whether a pause holds all that goes to a destination."""
    return any(places.holds(pause, channel, destination) for pause in pauses)


def path_of(row: Stuck) -> str:
    """Return the path of the screen of a notification."""
    return f"/console/notifications/{row.id}"


def moment(at: datetime) -> str:
    """Write a time as the ledger's sentences have it: the page shows it in the viewer's zone."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def advised(meaning: str, advice: str | None) -> str:
    """Say what a code means, and what helps."""
    return f"{sentence(meaning)} {advice}" if advice else sentence(meaning)


def sentence(text: str) -> str:
    """Make a sentence of a finding's words."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", "!")) else f"{text}."
