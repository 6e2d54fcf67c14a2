"""What operators do from a terminal: `notify cancel`, `notify redrive`."""

import argparse
from typing import Any

from service.cli.address import base_url
from service.cli.output import is_json, note, say, show
from service.cli.reading import an_id, shaped
from service.errors import ConfigError, NobodyListens, NotifyError

FILTER = {
    "channel": "channel",
    "code": "last_error_code",
    "reference": "reference",
    "since": "created_from",
    "until": "created_until",
}
COUNTS = ("matched", "redriven", "expired")
CHOICES = {"limit": "limit", "rate": "rate_per_s", "dry_run": "dry_run"}
TYPED = (
    {f"/filter/{name}": f"--{option}" for option, name in FILTER.items()}
    | {f"/{name}": "--" + option.replace("_", "-") for option, name in CHOICES.items()}
    | {"/ids": "ID"}
)


def cancel(args: argparse.Namespace) -> int:
    """Call off each; returns 1 if one of them could not be."""
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


def redrive(args: argparse.Namespace) -> int:
    """Queue dead letters again, however many must be looked at for it, and print the counts."""
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
    """Say what POST /redrive shall do. Raises ConfigError if it is not said which are meant."""
    narrowed = given(args, FILTER)
    if args.ids and narrowed:
        raise ConfigError("redrive which? Give IDs or --channel and its like, not both")
    if not args.ids and not narrowed:
        raise ConfigError(
            "redrive which? Give IDs, or --channel, --code, --reference, --since or --until"
        )
    which = {"ids": [an_id(id) for id in args.ids]} if args.ids else {"filter": narrowed}
    return which | given(args, CHOICES)


def given(args: argparse.Namespace, names: dict[str, str]) -> dict[str, Any]:
    """Return the options that were given, by the API's names for them."""
    return {name: value for option, name in names.items()
            if (value := getattr(args, option)) is not None}  # fmt: skip
