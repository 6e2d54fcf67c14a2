"""What operators do from a terminal: `notify cancel`, `notify redrive`."""

import argparse
import sys
from typing import Any

from service.cli.try_out import base_url, show
from service.errors import ConfigError, NotifyError
from service.printable import printable

FILTER = {
    "channel": "channel",
    "code": "last_error_code",
    "reference": "reference",
    "since": "created_from",
    "until": "created_until",
}
COUNTS = ("matched", "redriven", "expired")
CHOICES = {"limit": "limit", "rate": "rate_per_s", "dry_run": "dry_run"}


def cancel(args: argparse.Namespace) -> int:
    """Call off each; returns 1 if one of them could not be."""
    from service import client

    refused, base = 0, base_url(args)
    for id in args.ids:
        try:
            client.cancel(base, id)
            print(printable(f"{id} cancelled"), flush=True)
        except NotifyError as error:
            refused += 1
            print(printable(f"{id} {error}"), file=sys.stderr)
    return 1 if refused else 0


def redrive(args: argparse.Namespace) -> int:
    """Queue dead letters again, however many must be looked at for it, and print the counts."""
    from service import client
    from service.api.redrive import LIMIT, LIMIT_MAX

    body = redrive_body(args)
    left = args.limit or (LIMIT_MAX if args.dry_run else LIMIT)
    counts = answer = client.redrive(base_url(args), body)
    while answer["next"] and (left := left - answer["matched"]) > 0:
        answer = client.redrive(base_url(args), body | {"cursor": answer["next"], "limit": left})
        counts = answer | {name: counts[name] + answer[name] for name in COUNTS}
    show(counts)
    return 0


def redrive_body(args: argparse.Namespace) -> dict[str, Any]:
    """Say what POST /redrive shall do. Raises ConfigError if it is not said which are meant."""
    narrowed = given(args, FILTER)
    if bool(args.ids) == bool(narrowed):
        raise ConfigError(
            "redrive which? Give IDs, or --channel, --code, --reference, --since or --until"
        )
    which = {"ids": args.ids} if args.ids else {"filter": narrowed}
    return which | given(args, CHOICES)


def given(args: argparse.Namespace, names: dict[str, str]) -> dict[str, Any]:
    """Return the options that were given, by the API's names for them."""
    return {name: value for option, name in names.items()
            if (value := getattr(args, option)) is not None}  # fmt: skip
