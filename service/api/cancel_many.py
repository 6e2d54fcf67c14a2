"""The body of POST /cancel: which queued notifications to call off, and how many."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from service.api.decoding import Body
from service.api.matching import (
    CURSOR_SENTENCE,
    DRY_RUN_SENTENCE,
    LIMIT,
    LIMIT_MAX,
    Filter,
    audited,
    chosen,
    filter_faults,
    limit_or_default,
)
from service.api.storable import unstorable
from service.http.problems import Fault
from service.limits import CANCEL_AT_ONCE_MAX
from service.model.search import Choice

LIMIT_SENTENCE = (
    f"Use 1 to {LIMIT_MAX}; {LIMIT} if left out, {LIMIT_MAX} for a dry run. One call moves"
    f" {CANCEL_AT_ONCE_MAX} at most: go on with `next`."
)


class CancelFilter(Filter, kw_only=True):
    """A choice of queued notifications: each field narrows it. At least one is needed."""


class CancelMany(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which queued notifications to call off. The oldest come first."""

    filter: CancelFilter
    cursor: Annotated[UUID | None, Meta(description=CURSOR_SENTENCE)] = None
    limit: Annotated[
        Annotated[int, Meta(ge=1, le=LIMIT_MAX)] | None, Meta(description=LIMIT_SENTENCE)
    ] = None
    dry_run: Annotated[bool | None, Meta(description=DRY_RUN_SENTENCE)] = False

    def which(self) -> Choice:
        """Return the choice, for the store."""
        return Choice(**chosen(self.filter))

    def limit_or_default(self) -> int:
        """Return how many may be called off at most."""
        most = limit_or_default(self.limit, self.dry_run)
        return most if self.dry_run else min(most, CANCEL_AT_ONCE_MAX)

    def detail(self) -> dict[str, Any]:
        """Return what the audit keeps of it."""
        return {"filter": audited(self.filter), "limit": self.limit_or_default()}


BODY = Body(CancelMany)


def read_cancel_many(body: bytes) -> CancelMany:
    """Read a body. Raises Problem."""
    return BODY.read(body, lambda asked: (asked, checked(body, asked)))


def checked(body: bytes, asked: CancelMany) -> list[Fault]:
    """Check what types cannot."""
    return unstorable(body, msgspec.Raw(b"null")) or list(filter_faults(asked.filter))
