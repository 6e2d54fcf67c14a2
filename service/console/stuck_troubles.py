"""What is wrong with notifications that nothing moves by itself."""

import re
from collections.abc import Iterator, Sequence

from service.api.sight import own_words
from service.console.places import Verb
from service.console.trouble import Trouble
from service.ledger.now_store import Stuck
from service.model.notification import Sentence

REFUSED_PATH = "/console/search?status=queued&last_error_code=refused"
RAISED_IN = re.compile(r" \((?:PL/pgSQL|SQL) function .*\)\Z")
CAUSES_FEW = 2  # with more of them, the search is offered beside each
SAID_ELSEWHERE = frozenset({"no_worker", "no_dispatcher", "enqueued"})


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


def cancel(row: Stuck) -> Verb:
    """Make the button that calls a notification off."""
    return Verb(
        name="Cancel it",
        url=f"/notifications/{row.id}/cancel",
        ask="Cancel this notification? It will not be sent.",
        done="Cancelled.",
        look="danger",
    )


def path_of(row: Stuck) -> str:
    """Return the path of the screen of a notification."""
    return f"/console/notifications/{row.id}"
