"""The body of POST /redrive: which dead letters, how many, how fast."""

from collections.abc import Iterator
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from service.api.decoding import Body, Timestamp
from service.api.storable import unstorable
from service.channels.words import EITHER
from service.http.problems import Fault
from service.limits import REFERENCE_MAX_CHARS
from service.model import Channel, DeadLetters

IDS_MAX = 1000
CODE_MAX_CHARS = 255
LIMIT = 1000
LIMIT_MAX = 100_000  # takes a second; also the limit of a dry run that names none
RATE_PER_S = 100.0
RATE_PER_S_MIN, RATE_PER_S_MAX = 0.1, 10_000


class RedriveFilter(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A choice of dead letters: each field narrows it. At least one is needed."""

    channel: Annotated[Channel | None, Meta(description=f"Use {EITHER}.")] = None
    last_error_code: Annotated[
        Annotated[str, Meta(min_length=1, max_length=CODE_MAX_CHARS)] | None,
        Meta(description="As GET /notifications shows it, such as 503 or lease_expired."),
    ] = None
    reference: Annotated[
        Annotated[str, Meta(min_length=1, max_length=REFERENCE_MAX_CHARS)] | None,
        Meta(description="As it was given when they were enqueued."),
    ] = None
    created_from: Annotated[
        Timestamp | None,
        Meta(description="Use RFC 3339 with an offset, such as 2030-01-31T12:00:00Z."),
    ] = None
    created_until: Annotated[
        Timestamp | None,
        Meta(description="Use RFC 3339 with an offset, after created_from; it is left out itself."),
    ] = None


class Redrive(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which dead letters to queue again: by their ids, or by a filter. The oldest come first."""

    ids: Annotated[
        Annotated[list[UUID], Meta(min_length=1, max_length=IDS_MAX)] | None,
        Meta(description=f"Give 1 to {IDS_MAX} ids of notifications."),
    ] = None
    filter: RedriveFilter | None = None
    cursor: Annotated[
        UUID | None, Meta(description="Give the `next` of the answer before, to go on from there.")
    ] = None
    limit: Annotated[
        Annotated[int, Meta(ge=1, le=LIMIT_MAX)] | None,
        Meta(
            description=f"Use 1 to {LIMIT_MAX} at once; {LIMIT} if left out, "
            f"{LIMIT_MAX} for a dry run."
        ),
    ] = None
    rate_per_s: Annotated[
        Annotated[float, Meta(ge=RATE_PER_S_MIN, le=RATE_PER_S_MAX)] | None,
        Meta(
            description=f"Use {RATE_PER_S_MIN} to {RATE_PER_S_MAX}: so many fall due each second; "
            f"{RATE_PER_S:g} if left out."
        ),
    ] = None
    dry_run: Annotated[
        bool | None, Meta(description="Use true to count them and to change nothing.")
    ] = False

    def which(self) -> DeadLetters:
        """Return the choice of dead letters, for the store."""
        narrowed = msgspec.structs.asdict(self.filter) if self.filter else {}
        return DeadLetters(ids=self.ids, **narrowed)

    def limit_or_default(self) -> int:
        """Return how many may be redriven at most."""
        return self.limit or (LIMIT_MAX if self.dry_run else LIMIT)

    def rate_or_default(self) -> float:
        """Return how many fall due each second."""
        return self.rate_per_s or RATE_PER_S


BODY = Body(Redrive)


def read_redrive(body: bytes) -> Redrive:
    """Read a body. Raises Problem."""
    return BODY.read(body, lambda asked: (asked, checked(body, asked)))


def checked(body: bytes, asked: Redrive) -> list[Fault]:
    """Check what types cannot."""
    return unstorable(body, msgspec.Raw(b"null")) or list(faults(asked))


def faults(asked: Redrive) -> Iterator[Fault]:
    """Check that ids or a filter are given, and not both."""
    if (asked.ids is None) == (asked.filter is None):
        yield Fault("ids_or_filter", "Give either ids or filter.", "")
    elif asked.filter is not None:
        yield from filter_faults(asked.filter)


def filter_faults(filter_: RedriveFilter) -> Iterator[Fault]:
    """Check that a filter narrows, and that its times are in order."""
    if filter_ == RedriveFilter():
        yield Fault("ids_or_filter", "Narrow it by one field at least.", "/filter")
    begin, end = filter_.created_from, filter_.created_until
    if begin is not None and end is not None and begin >= end:
        yield Fault("invalid_field", "Use a time after created_from.", "/filter/created_until")
