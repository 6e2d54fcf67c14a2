"""`notify explain` and `notify list`, and how notifications are told to people."""

import argparse
import shlex
from collections.abc import Iterator
from datetime import datetime
from math import ceil
from shutil import get_terminal_size
from textwrap import wrap
from typing import Any
from uuid import UUID

from service.cli.address import base_url
from service.cli.options import entered
from service.cli.output import is_json, note, say, show
from service.errors import ConfigError, NotifyError

# Option → parameter of GET /notifications.
FILTERS = {
    "status": "status",
    "channel": "channel",
    "reference": "reference",
    "recipient": "recipient",
    "destination": "destination",
    "code": "last_error_code",
    "worker": "worker",
    "producer": "producer",
    "since": "created_from",
    "until": "created_until",
}
PAGE_MAX = 200
HEAD = ("id", "status", "channel", "attempt", "created", "recipient", "last error")
# In the order that a person reads them; what is empty is left out.
STORY = (
    "producer", "reference", "idempotency_key", "is_test", "priority", "created_at", "send_at",
    "expires_at", "due_at", "settled_at", "last_error_code", "last_error", "emptied_at",
    "transaction_id", "traceparent", "repeats",
)  # fmt: skip
# When a notification has ended, its due_at is not shown: no try follows.
PASSED = {("due_at", status) for status in ("sent", "failed", "expired", "cancelled")}


def explain(args: argparse.Namespace) -> int:
    """Print why one notification is where it is."""
    from service.cli import client

    answer = shaped(client.explain(base_url(args), an_id(args.id)), "id", "reasons")
    if is_json(args):
        show(answer)
    else:
        say(line for reason in answer["reasons"] for line in reason_lines(reason))
    return 0


def page(args: argparse.Namespace) -> int:
    """Print notifications, newest first, and how to go on."""
    items: list[dict[str, Any]] = []
    following = None
    for number, (part, cursor) in enumerate(pages(args)):
        following = cursor
        items += part
        if not args.json:
            say(row(columns) for columns in [HEAD][number:] + [cells(item) for item in part])
    if args.json:
        show({"items": items, "next": following})
    elif following:
        again = ["notify", "list"]
        for name in (*FILTERS, "limit", "url"):
            value = getattr(args, name)
            again += [f"--{name}", str(value)] if value is not None else []
        note(f"more: {shlex.join([*again, '--cursor', following])}")
    return 0


def pages(args: argparse.Namespace) -> Iterator[tuple[list[dict[str, Any]], str | None]]:
    """Ask for one page after the other, up to --limit; yield each with the cursor of the next."""
    from service.cli import client

    query = entered(args, FILTERS)
    typed = {name: f"--{option}" for option, name in FILTERS.items()}
    typed |= {"limit": "--limit", "cursor": "--cursor"}
    base, left, cursor = base_url(args), args.limit or 50, args.cursor
    while left > 0:
        place = {"limit": min(left, PAGE_MAX)} | ({"cursor": cursor} if cursor else {})
        answer = shaped(client.page(base, query | place, typed), "items", "next")
        left -= len(answer["items"])
        cursor = answer["next"]
        yield answer["items"], cursor
        if cursor is None:
            return


def cells(item: dict[str, Any]) -> tuple[str, ...]:
    """Put one notification into the columns of HEAD."""
    created = str(item.get("created_at"))[:19].replace("T", " ")
    error = item.get("last_error_code") or ""
    tries = f"{item.get('attempt')}/{item.get('max_attempts') or '-'}"
    return (
        str(item.get("id")), str(item.get("status")), str(item.get("channel")), tries, created,
        str(item.get("recipient")), str(error),
    )  # fmt: skip


def row(columns: tuple[str, ...]) -> str:
    """Align the columns of a fixed width; the last two follow, however long they are."""
    id, status, channel, tries, created, *rest = columns
    head = f"{id:36}  {status:9}  {channel:7}  {tries:>7}  {created:19}"
    return "  ".join([head, *filter(None, rest)]).rstrip()


def story(item: dict[str, Any]) -> Iterator[str]:
    """Describe one notification for a person, with its attempts in order."""
    yield f"{item['id']}  {item['status']}"
    yield f"{'to':16}{item.get('channel')} {item.get('recipient')}"
    for name in STORY:
        if item.get(name) not in (None, False) and (name, item["status"]) not in PASSED:
            yield f"{name.replace('_', ' '):16}{item[name]}"
    for attempt in item.get("attempts") or ():
        took = "?" if attempt.get("took_ms") is None else attempt["took_ms"]
        answer = " ".join(str(attempt[k]) for k in ("code", "excerpt") if attempt.get(k))
        yield (
            f"{'attempt ' + str(attempt.get('attempt')):16}{attempt.get('started_at')}"
            f"  {attempt.get('outcome')} in {took} ms  {answer}".rstrip()
        )


def reason_lines(reason: dict[str, Any]) -> Iterator[str]:
    """Write one reason for a person, and below it the command that would help."""
    yield from wrap(str(reason.get("sentence")), width=max(40, get_terminal_size().columns - 1))
    if reason.get("command"):
        yield f"    {reason['command']}"


def an_id(text: str) -> str:
    """Write an id as the API does. Raises ConfigError if it is none."""
    try:
        return str(UUID(text.strip()))
    except ValueError:
        raise ConfigError(
            f"{text!r} is no id: 32 of 0-9 and a-f in five groups, as `notify send` prints it"
        ) from None


def next_try(item: dict[str, Any], now: datetime) -> str:
    """Say for people when a queued notification is tried next; its due_at may be infinity."""
    if item.get("due_at") is None:
        return f"paused: notify explain {item.get('id')} says why"
    due_at = str(item["due_at"])
    try:
        wait_s = ceil((datetime.fromisoformat(due_at) - now).total_seconds())
    except ValueError:
        return f"next try at {due_at}"
    return f"next try at {due_at} (in {wait_s} s)" if wait_s > 0 else "next try now"


def shaped(answer: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return the answer if it has these fields. Raises NotifyError: another version sent it."""
    missing = [name for name in names if name not in answer]
    if missing:
        raise NotifyError(
            f"the API's answer has no {', '.join(missing)}: is it another version, or another"
            " service? See --url, and notify --version"
        )
    return answer
