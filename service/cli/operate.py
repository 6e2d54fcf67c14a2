"""What operators do from a terminal: cancel, redrive, send again, probe."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from service.cli.address import base_url
from service.cli.options import entered, spelled
from service.cli.output import is_json, note, say, show
from service.cli.reading import an_id, shaped
from service.errors import ConfigError, NobodyListens, NotifyError
from service.limits import CANCEL_AT_ONCE_MAX

# Option → field of the filter of POST /cancel, and of POST /redrive.
FILTER = {
    "channel": "channel",
    "producer": "producer",
    "reference": "reference",
    "recipient": "recipient",
    "destination": "destination",
    "since": "created_from",
    "until": "created_until",
}
REDRIVE_FILTER = FILTER | {"code": "last_error_code"}
CANCELLED = ("matched", "cancelled")
REDRIVEN = ("matched", "redriven", "expired")
CHOICES = {"limit": "limit", "dry_run": "dry_run"}
REDRIVE_CHOICES = CHOICES | {"rate": "rate_per_s"}
CANCEL_TYPED = spelled(FILTER, "/filter") | spelled(CHOICES)
REDRIVE_TYPED = spelled(REDRIVE_FILTER, "/filter") | spelled(REDRIVE_CHOICES) | {"/ids": "ID"}
PROBE_TYPED = {"/destination": "DESTINATION", "/channel": "--channel"}
Ask = Callable[[dict[str, Any]], dict[str, Any]]


def cancel(args: argparse.Namespace) -> int:
    """Cancel each id, or all that match; returns 1 if one of them could not be cancelled."""
    narrowed = which(args, "cancel", FILTER)
    return cancel_matching(args, narrowed) if narrowed else cancel_each(args)


def cancel_each(args: argparse.Namespace) -> int:
    """Cancel each id."""
    from service.cli import client

    if args.dry_run or args.limit:
        raise ConfigError("--dry-run and --limit are for --channel and its like, not for IDs")
    base = base_url(args)
    results = []
    for id in args.ids:
        try:
            client.cancel(base, an_id(id))
            results.append({"id": id, "cancelled": True, "reason": None})
            if not args.json:
                say([f"{id} cancelled"])
        except NobodyListens:
            raise
        except NotifyError as error:
            results.append({"id": id, "cancelled": False, "reason": str(error)})
            if not args.json:
                note(f"{id} {error}")
    if args.json:
        show(results)
    return 0 if all(result["cancelled"] for result in results) else 1


def send_again(args: argparse.Namespace) -> int:
    """Send a copy of one that has ended, and print its id."""
    from service.cli import client

    answer = shaped(client.send_again(base_url(args), an_id(args.id)), "id")
    if is_json(args):
        show(answer)
    else:
        say([str(answer["id"])])
    return 0


def cancel_matching(args: argparse.Namespace, narrowed: dict[str, Any]) -> int:
    """Cancel all that match, and print the counts."""
    from service.api.matching import LIMIT_MAX
    from service.cli import client

    base = base_url(args)
    body = {"filter": narrowed} | entered(args, CHOICES)
    counts = in_turns(
        args,
        CANCELLED,
        lambda place: client.cancel_many(base, body | place, CANCEL_TYPED),
        at_once_max=LIMIT_MAX if args.dry_run else CANCEL_AT_ONCE_MAX,
    )
    printed(args.json, counts, CANCELLED)
    kept = 0 if args.dry_run else counts["matched"] - counts["cancelled"]
    if kept:
        note(f"{kept} could not be cancelled: somebody was moving them, or a trigger keeps them")
    return 1 if kept else 0


def redrive(args: argparse.Namespace) -> int:
    """Queue dead letters again, and print the counts."""
    from service.cli import client

    narrowed = which(args, "redrive", REDRIVE_FILTER)
    base = base_url(args)
    meant = {"filter": narrowed} if narrowed else {"ids": [an_id(id) for id in args.ids]}
    body = meant | entered(args, REDRIVE_CHOICES)
    counts = in_turns(
        args, REDRIVEN, lambda place: client.redrive(base, body | place, REDRIVE_TYPED)
    )
    printed(is_json(args), counts, REDRIVEN)
    return 0


def which(args: argparse.Namespace, verb: str, fields: Mapping[str, str]) -> dict[str, Any]:
    """Return what narrows a filter; empty: ids are given.

    Raises ConfigError if it is not clear which are meant.
    """
    narrowed = entered(args, fields)
    if args.ids and narrowed:
        raise ConfigError(f"{verb} which? Give IDs or --channel and its like, not both")
    if not args.ids and not narrowed:
        *others, last = (f"--{option}" for option in fields)
        raise ConfigError(f"{verb} which? Give IDs, or {', '.join(others)} or {last}")
    return narrowed


def in_turns(
    args: argparse.Namespace, names: Sequence[str], ask: Ask, *, at_once_max: int = sys.maxsize
) -> dict[str, Any]:
    """Ask until all are done, or as many as may be; return the last answer with the sums.

    One request looks at a limited number of rows, so that more of them may be needed.
    """
    from service.api.matching import limit_or_default

    left = limit_or_default(args.limit, args.dry_run)
    counts = answer = shaped(ask({"limit": min(left, at_once_max)}), *names, "next")
    while answer["next"] and (left := left - answer["matched"]) > 0:
        place = {"cursor": answer["next"], "limit": min(left, at_once_max)}
        answer = shaped(ask(place), *names, "next")
        counts = answer | {name: counts[name] + answer[name] for name in names}
    return counts


def printed(as_json: bool, counts: dict[str, Any], names: Sequence[str]) -> None:
    """Print the counts."""
    if as_json:
        show(counts)
    else:
        say([", ".join(f"{name} {counts[name]}" for name in names)])


def probe(args: argparse.Namespace) -> int:
    """Have a destination tried at once, and print what will happen."""
    from service.cli import client

    if not args.destination and args.channel != "email":
        raise ConfigError(
            "probe which? Give a DESTINATION, or --channel email for the mail server of all"
        )
    channel = args.channel or ("webhook" if "://" in args.destination else "email")
    body = {"channel": channel, "destination": args.destination}
    answer = shaped(client.probe(base_url(args), body, PROBE_TYPED), "sentence")
    if is_json(args):
        show(answer)
    else:
        say([answer["sentence"]])
    return 0
