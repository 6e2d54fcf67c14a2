"""What is wrong with destinations: dead ones, those that took nothing, and forgotten pauses."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from service.console import places
from service.console.places import CAN_BE_PROBED, Verb
from service.console.trouble import Trouble, advised, moment
from service.ledger.now_store import FAILING_MAX, KEPT_BACK_MAX, Failing, KeptBack
from service.model.pause import Pause

DEAD_SHOWN = 3
NETWORK = frozenset({"dns", "connect_failed", "timeout"})  # what one's own network brings about
FAILING_SHOWN = 3
FORGOTTEN = timedelta(days=1)  # a pause that is older, and for which something waits
FORGOTTEN_SHOWN = 3


def dead_troubles(kept_back: Sequence[KeptBack], pauses: Sequence[Pause]) -> Iterator[Trouble]:
    """Name the destinations that do not answer."""
    dead = one_of_each_code_first([d for d in kept_back if d.state == "breaker"])
    for d in dead[:DEAD_SHOWN]:
        button = probe(d, pauses)
        yield Trouble(
            title=what_fails(d),
            text=advised(d.meaning or "It failed again and again", d.advice)
            + " What is for it waits in the queue, and at first loses no attempts; one at a time"
            f" asks whether it is back, and within {80 if d.is_url else 10} s of its return the"
            " others follow.",
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


def what_fails(d: KeptBack) -> str:
    """Say whether a destination fails, or only URLs of it."""
    if d.is_url:
        return f"A URL of {d.destination} fails again and again"
    return f"{d.destination or 'The mail server'} does not answer"


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


def probe(d: KeptBack, pauses: Sequence[Pause]) -> Verb | None:
    """Make the button that has a destination tried; None: that could not end what keeps it back."""
    if d.state not in CAN_BE_PROBED or is_paused(d.channel, d.destination, pauses):
        return None
    return places.probe(d.channel, d.destination)


def is_paused(channel: str, destination: str, pauses: Sequence[Pause]) -> bool:
    """Return whether a pause holds all that goes to a destination."""
    return any(places.holds(pause, channel, destination) for pause in pauses)
