"""The body of POST /redrive: which dead letters, how many, how fast."""

from collections.abc import Iterator
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from service.api.decoding import Body, Timestamp
from service.api.storable import unstorable
from service.http.problems import Fault
from service.model import Channel, DeadLetters

LIMIT = 1000
LIMIT_MAX = 100_000  # a second's work; a dry run counts so far if not told otherwise
RATE_PER_S = 100.0


class RedriveFilter(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which of the failed ones: each field narrows. At least one is needed."""

    channel: Annotated[Channel | None, Meta(description="Use webhook, email or log.")] = None
    last_error_code: Annotated[
        Annotated[str, Meta(min_length=1, max_length=255)] | None,
        Meta(description="As GET /notifications shows it, such as 503 or lease_expired."),
    ] = None
    reference: Annotated[
        Annotated[str, Meta(min_length=1, max_length=255)] | None,
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
        Annotated[list[UUID], Meta(min_length=1, max_length=1000)] | None,
        Meta(description="Give 1 to 1000 ids of notifications."),
    ] = None
    filter: RedriveFilter | None = None
    cursor: Annotated[
        UUID | None, Meta(description="Give the `next` of the answer before, to go on from there.")
    ] = None
    limit: Annotated[
        Annotated[int, Meta(ge=1, le=LIMIT_MAX)] | None,
        Meta(description="Use 1 to 100000 at once; 1000 if left out, 100000 for a dry run."),
    ] = None
    rate_per_s: Annotated[
        Annotated[float, Meta(ge=0.1, le=10_000)] | None,
        Meta(description="Use 0.1 to 10000: so many fall due each second; 100 if left out."),
    ] = None
    dry_run: Annotated[
        bool | None, Meta(description="Use true to count them and to change nothing.")
    ] = False

    def which(self) -> DeadLetters:
        """Say which are meant."""
        narrowed = msgspec.structs.asdict(self.filter) if self.filter else {}
        return DeadLetters(ids=self.ids, **narrowed)

    def limit_or_default(self) -> int:
        """Say how many at most."""
        return self.limit or (LIMIT_MAX if self.dry_run else LIMIT)

    def rate_or_default(self) -> float:
        """Say how many fall due each second."""
        return self.rate_per_s or RATE_PER_S


BODY = Body(Redrive)


def read(body: bytes) -> Redrive:
    """Turn a body into what is asked for. Raises Problem."""
    return BODY.read(body, lambda asked: unstorable(body, msgspec.Raw(b"null")) or faults(asked))


def faults(asked: Redrive) -> Iterator[Fault]:
    """Check what types cannot."""
    if (asked.ids is None) == (asked.filter is None):
        yield Fault("ids_or_filter", "Give either ids or filter.", "")
    elif asked.filter is not None:
        yield from filter_faults(asked.filter)


def filter_faults(given: RedriveFilter) -> Iterator[Fault]:
    """Check that a filter narrows, and that its times are in order."""
    if given == RedriveFilter():
        yield Fault("ids_or_filter", "Narrow it by one field at least.", "/filter")
    begin, end = given.created_from, given.created_until
    if begin is not None and end is not None and begin >= end:
        yield Fault("invalid_field", "Use a time after created_from.", "/filter/created_until")
