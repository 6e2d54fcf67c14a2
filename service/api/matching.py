"""Which notifications an operator means: the filter of POST /redrive and POST /cancel."""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from service.api.decoding import Timestamp
from service.channels.words import EITHER
from service.http.problems import Fault
from service.limits import (
    DESTINATION_MAX_CHARS,
    PRODUCER_MAX_CHARS,
    RECIPIENT_MAX_CHARS,
    REFERENCE_MAX_CHARS,
)
from service.logs.logs import masked
from service.model.words import Channel
from service.names.origin import origin

LIMIT = 1000
LIMIT_MAX = 100_000  # also of a dry run that names none; to redrive so many takes a second
LIMIT_SENTENCE = f"Use 1 to {LIMIT_MAX} at once; {LIMIT} if left out, {LIMIT_MAX} for a dry run."
CURSOR_SENTENCE = "Give the `next` of the answer before, to go on from there."
DRY_RUN_SENTENCE = "Use true to count them and to change nothing."


class Filter(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A choice of notifications: each field narrows it."""

    channel: Annotated[Channel | None, Meta(description=f"Use {EITHER}.")] = None
    producer: Annotated[
        Annotated[str, Meta(min_length=1, max_length=PRODUCER_MAX_CHARS)] | None,
        Meta(description="As GET /notifications shows it."),
    ] = None
    reference: Annotated[
        Annotated[str, Meta(min_length=1, max_length=REFERENCE_MAX_CHARS)] | None,
        Meta(description="As it was given when they were enqueued."),
    ] = None
    recipient: Annotated[
        Annotated[str, Meta(min_length=1, max_length=RECIPIENT_MAX_CHARS)] | None,
        Meta(description="Whole; of a mail in any spelling, of others as it was given."),
    ] = None
    destination: Annotated[
        Annotated[str, Meta(min_length=1, max_length=DESTINATION_MAX_CHARS)] | None,
        Meta(
            description="Use the origin of webhooks, such as https://hooks.example.org, or the "
            "domain of mails, in lower case. It takes longer than the others."
        ),
    ] = None
    created_from: Annotated[
        Timestamp | None,
        Meta(description="Use RFC 3339 with an offset, such as 2030-01-31T12:00:00Z."),
    ] = None
    created_until: Annotated[
        Timestamp | None,
        Meta(description="Use RFC 3339 with an offset, after created_from; it is left out itself."),
    ] = None


def chosen(filter_: Filter | None) -> dict[str, Any]:
    """Return all fields of a filter, for the store."""
    fields = msgspec.structs.asdict(filter_) if filter_ else {}
    if fields.get("destination"):
        fields["destination"] = spelled(fields["destination"])
    return fields


def spelled(destination: str) -> str:
    """Spell a destination as workers do, if it is one: people type a slash at its end."""
    if "://" in destination:
        return origin(destination) or destination
    return destination.lower().rstrip(".")


def shown(destination: str) -> str:
    """Return the name of a destination for a log; nothing of a URL's path, nor of an address."""
    if "://" in destination:
        return origin(destination) or "…"
    return "…" if "@" in destination else spelled(destination)


def filter_faults(filter_: Filter) -> Iterator[Fault]:
    """Check that a filter narrows, and that its times are in order."""
    if not narrowed(filter_):
        yield Fault("ids_or_filter", "Narrow it by one field at least.", "/filter")
    begin, end = filter_.created_from, filter_.created_until
    if begin is not None and end is not None and begin >= end:
        yield Fault("invalid_field", "Use a time after created_from.", "/filter/created_until")


def narrowed(filter_: Filter | None) -> dict[str, Any]:
    """Return the fields of a filter that narrow it."""
    fields = msgspec.structs.asdict(filter_) if filter_ else {}
    return {name: value for name, value in fields.items() if value is not None}


def logged(filter_: Filter | None) -> dict[str, Any]:
    """Return them as a log line says them, with the recipient masked."""
    fields = narrowed(filter_)
    if "recipient" in fields:
        fields["recipient"] = masked(fields["recipient"])
    if "destination" in fields:
        fields["destination"] = shown(fields["destination"])
    return fields


def audited(filter_: Filter) -> dict[str, Any]:
    """Return them as the audit keeps them, without what may speak of a person."""
    fields = narrowed(filter_)
    hidden: dict[str, str] = {name: "…" for name in ("reference", "recipient") if name in fields}
    if "destination" in fields:
        hidden["destination"] = shown(fields["destination"])
    return {name: msgspec.to_builtins(value) for name, value in (fields | hidden).items()}


def limit_or_default(limit: int | None, dry_run: bool | None) -> int:
    """Return how many may be moved at most."""
    return limit or (LIMIT_MAX if dry_run else LIMIT)
