"""What operators do from a terminal: `notify cancel`, `notify send-again`, `notify redrive`."""

import argparse
from typing import Any

from service.cli.address import base_url
from service.cli.options import entered, spelled
from service.cli.output import is_json, note, say, show
from service.cli.reading import an_id, shaped
from service.errors import ConfigError, NobodyListens, NotifyError

# Option → field of POST /redrive.
FILTER = {
    "channel": "channel",
    "code": "last_error_code",
    "reference": "reference",
    "since": "created_from",
    "until": "created_until",
}
COUNTS = ("matched", "redriven", "expired")
CHOICES = {"limit": "limit", "rate": "rate_per_s", "dry_run": "dry_run"}
TYPED = spelled(FILTER, "/filter") | spelled(CHOICES) | {"/ids": "ID"}


def cancel(args: argparse.Namespace) -> int:
    """Cancel each id; returns 1 if one of them could not be cancelled."""
    from service.cli import client

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


def redrive(args: argparse.Namespace) -> int:
    """Queue dead letters again and print the counts.

    One request looks at a limited number of rows, so that more of them may be needed.
    """
    from service.api.redrive import LIMIT, LIMIT_MAX
    from service.cli import client

    base = base_url(args)
    body = redrive_body(args)
    left = args.limit or (LIMIT_MAX if args.dry_run else LIMIT)

    def ask(**place: Any) -> dict[str, Any]:
        return shaped(client.redrive(base, body | place, TYPED), *COUNTS, "next")

    counts = answer = ask()
    while answer["next"] and (left := left - answer["matched"]) > 0:
        answer = ask(cursor=answer["next"], limit=left)
        counts = answer | {name: counts[name] + answer[name] for name in COUNTS}
    if is_json(args):
        show(counts)
    else:
        say([", ".join(f"{name} {counts[name]}" for name in COUNTS)])
    return 0


def redrive_body(args: argparse.Namespace) -> dict[str, Any]:
    """Return the body of POST /redrive. Raises ConfigError if it is not clear which are meant."""
    narrowed = entered(args, FILTER)
    if args.ids and narrowed:
        raise ConfigError("redrive which? Give IDs or --channel and its like, not both")
    if not args.ids and not narrowed:
        raise ConfigError(
            "redrive which? Give IDs, or --channel, --code, --reference, --since or --until"
        )
    which = {"ids": [an_id(id) for id in args.ids]} if args.ids else {"filter": narrowed}
    return which | entered(args, CHOICES)
