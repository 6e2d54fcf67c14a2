"""`notify erase`, `notify export` and `notify audit`: one person's data, and who did what.

They ask the database themselves: whoever may run them has DATABASE_URL anyway.
"""

import argparse
import json
from collections import Counter
from dataclasses import asdict

from service.cli.output import is_json, note, say, show, show_written
from service.cli.running import on_our_loop
from service.cli.settings import settings_beside_up
from service.errors import ConfigError
from service.ledger.person_store import Person, PersonStore
from service.limits import RECIPIENT_MAX_CHARS, REFERENCE_MAX_CHARS
from service.model.verbs import Use
from service.text.addresses import spellings

COUNTS = ("matched", "erased", "cancelled", "attempts", "keys", "sending", "locked", "refused")
LEFT = {
    "sending": "{} being sent: run this again when that has ended",
    "locked": "{} in somebody's hands at this moment: run this again",
    "refused": "{} held by a trigger or constraint that is not ours: PostgreSQL's log says which",
}


def erase(args: argparse.Namespace) -> int:
    """Erase a person, or count what would be; 1 if something had to be left."""
    who = person(args)
    counts = Counter(dict.fromkeys(COUNTS, 0))

    async def run() -> int:
        async with opened(args) as store:
            async for erased in store.erase(who, dry_run=args.dry_run):
                counts.update({name: getattr(erased, name) for name in COUNTS})
        return 0

    is_whole = False
    try:
        on_our_loop(run())
        is_whole = True
    finally:
        if counts["erased"] and not is_whole:  # what is erased by then stays erased
            note(summary(counts))
    if is_json(args):
        show(dict(counts))
    else:
        say([summary(counts)])
    left = [line.format(counts[name]) for name, line in LEFT.items() if counts[name]]
    for line in left:
        note(f"left: {line}")
    return int(bool(left) and not args.dry_run)


def export(args: argparse.Namespace) -> int:
    """Print a line of JSON for each notification of a person."""
    who = person(args)

    async def run() -> int:
        async with opened(args) as store:
            by = "recipient" if who.recipients else "reference"
            await store.record_use(None, None, "export", {"by": by})
            async for lines in store.export(who):
                for line in lines:
                    show_written(line)
        return 0

    return on_our_loop(run())


def audit(args: argparse.Namespace) -> int:
    """Print the last uses, newest first."""

    async def run() -> int:
        async with opened(args) as store:
            uses = await store.uses(args.limit)
        if args.json:
            show([asdict(use) | {"at": use.at.isoformat()} for use in uses])
        else:
            say(map(line_of, uses))
        return 0

    return on_our_loop(run())


def summary(counts: Counter[str]) -> str:
    """Write what was done on one line."""
    return ", ".join(f"{name} {counts[name]}" for name in COUNTS)


def person(args: argparse.Namespace) -> Person:
    """Say who is meant. Raises ConfigError for what no notification can have."""
    if args.reference:
        return Person(reference=possible("--reference", args.reference, REFERENCE_MAX_CHARS))
    recipient = possible("--recipient", args.recipient, RECIPIENT_MAX_CHARS)
    return Person(recipients=spellings(recipient))


def possible(option: str, text: str, longest: int) -> str:
    """Return the text, if the ledger can hold it."""
    if len(text) > longest:
        raise ConfigError(f"{option}: no notification has one of more than {longest} characters")
    if "\0" in text:
        raise ConfigError(f"{option}: no notification has one with U+0000")
    return text


def opened(args: argparse.Namespace) -> PersonStore:
    """Make the store for DATABASE_URL, or the database of the `notify up` that runs here."""
    settings = settings_beside_up(args)
    return PersonStore(settings.database_url or "", "notify-person", connections_max=1)


def line_of(use: Use) -> str:
    """Write a use for people."""
    at = f"{use.at:%Y-%m-%d %H:%M:%S}"
    detail = json.dumps(use.detail, ensure_ascii=False)
    return f"{at}  {use.verb:12}  {use.actor}  {use.key_id or '-'}  {detail}"
