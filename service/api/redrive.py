"""The body of POST /redrive: which dead letters, how many, how fast."""

from collections.abc import Iterator
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from service.api.decoding import Body
from service.api.matching import (
    CURSOR_SENTENCE,
    DRY_RUN_SENTENCE,
    LIMIT_MAX,
    LIMIT_SENTENCE,
    Filter,
    audited,
    chosen,
    filter_faults,
    limit_or_default,
)
from service.api.storable import unstorable
from service.http.problems import Fault
from service.model.search import DeadLetters

IDS_MAX = 1000
IDS_AUDITED = 50  # of more the audit keeps the number: it has no room for them
CODE_MAX_CHARS = 255
RATE_PER_S = 100.0
RATE_PER_S_MIN, RATE_PER_S_MAX = 0.1, 10_000


class RedriveFilter(Filter, kw_only=True):
    """A choice of dead letters: each field narrows it. At least one is needed."""

    last_error_code: Annotated[
        Annotated[str, Meta(min_length=1, max_length=CODE_MAX_CHARS)] | None,
        Meta(description="As GET /notifications shows it, such as 503 or lease_expired."),
    ] = None


class Redrive(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which dead letters to queue again: by their ids, or by a filter. The oldest come first."""

    ids: Annotated[
        Annotated[list[UUID], Meta(min_length=1, max_length=IDS_MAX)] | None,
        Meta(description=f"Give 1 to {IDS_MAX} ids of notifications."),
    ] = None
    filter: RedriveFilter | None = None
    cursor: Annotated[UUID | None, Meta(description=CURSOR_SENTENCE)] = None
    limit: Annotated[
        Annotated[int, Meta(ge=1, le=LIMIT_MAX)] | None, Meta(description=LIMIT_SENTENCE)
    ] = None
    rate_per_s: Annotated[
        Annotated[float, Meta(ge=RATE_PER_S_MIN, le=RATE_PER_S_MAX)] | None,
        Meta(
            description=f"Use {RATE_PER_S_MIN} to {RATE_PER_S_MAX}: so many fall due each second; "
            f"{RATE_PER_S:g} if left out."
        ),
    ] = None
    dry_run: Annotated[bool | None, Meta(description=DRY_RUN_SENTENCE)] = False

    def which(self) -> DeadLetters:
        """Return the choice of dead letters, for the store."""
        return DeadLetters(ids=self.ids, **chosen(self.filter))

    def limit_or_default(self) -> int:
        """Return how many may be redriven at most."""
        return limit_or_default(self.limit, self.dry_run)

    def rate_or_default(self) -> float:
        """Return how many fall due each second."""
        return self.rate_per_s or RATE_PER_S

    def detail(self) -> dict[str, Any]:
        """Return what the audit keeps of it."""
        which: dict[str, Any]
        if self.filter is not None:
            which = {"filter": audited(self.filter)}
        elif len(ids := self.ids or ()) > IDS_AUDITED:
            which = {"id_count": len(ids)}
        else:
            which = {"ids": [str(id) for id in ids]}
        return which | {"limit": self.limit_or_default()}


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
