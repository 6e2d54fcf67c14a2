"""`notify status`: what became of one notification; with --wait, when it has ended."""

import argparse
import time
from datetime import UTC, datetime
from typing import Any

from service.cli.address import base_url
from service.cli.output import is_json, note, say, show_exactly
from service.cli.reading import an_id, next_try, shaped, story
from service.errors import ConfigError, NobodyListens, TryLater

EXIT_CODES = {"sent": 0, "failed": 3, "expired": 4, "cancelled": 5}
NOT_YET = 6
WAIT_S_MAX = 30  # that the API takes
PAUSE_S = (0.05, 1.0)  # between two looks: the first one, and the longest


def run(args: argparse.Namespace) -> int:
    """Print one notification with every attempt; on standard error, when it is tried next."""
    from service.cli import client

    refuse_lone_timeout(args)
    base, id = base_url(args), an_id(args.id)
    if args.wait:
        return waited(args, base, id)
    notification = shaped(client.status(base, id), "id", "status", "attempts")
    if is_json(args):
        show_exactly(notification)
    else:
        say(story(notification))
    if notification["status"] == "queued":
        note(next_try(notification, datetime.now(UTC)))
    return 0


def refuse_lone_timeout(args: argparse.Namespace) -> None:
    """Raise ConfigError if it is said how long to wait, and not to wait."""
    if args.timeout is not None and not args.wait:
        raise ConfigError("--timeout is how long --wait may take: give both")


def waited(args: argparse.Namespace, base: str, id: str) -> int:
    """Look until it has ended; returns the exit code for how. Ctrl-C ends only the looking."""
    timeout_s = 60.0 if args.timeout is None else args.timeout
    notification = wait_for_end(base, id, time.monotonic() + timeout_s)
    if notification is None:
        note(f"{id} has not ended within {timeout_s:g} s, and goes on: notify status {id}")
        return NOT_YET
    if is_json(args):
        show_exactly(notification)
    else:
        say(story(notification))
    return EXIT_CODES[notification["status"]]


def wait_for_end(base: str, id: str, end: float) -> dict[str, Any] | None:
    """Ask until it has ended, or until `end` (monotonic): then return None.

    The API answers when it has ended. One of before answers at once, and one that is full or away
    is asked again without waiting: hence the pauses. Raises TryLater if it does not answer at the
    end either.
    """
    from service.cli import client

    pause_s, longest_s = PAUSE_S
    wait_s_max = WAIT_S_MAX
    while True:
        began = time.monotonic()
        wait_s = max(0, min(wait_s_max, int(end - began)))
        try:
            notification = shaped(client.status(base, id, wait_s), "id", "status")
            if notification["status"] in EXIT_CODES:
                return notification
        except (TryLater, NobodyListens) as error:
            if time.monotonic() > end:
                raise TryLater(f"what became of {id} is not known: {error}") from error
            wait_s_max = 0
        now = time.monotonic()
        if now >= end:
            return None
        time.sleep(max(0.0, min(began + pause_s, end) - now))
        pause_s = min(pause_s * 1.5, longest_s)
