"""What can come of a notification that is not accepted. Classes are what a caller acts on."""

import copyreg
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID


class NotificationError(Exception):
    """Any of the errors below.

    `idempotency_key`: that of the request over HTTP, also where the client made it; asked again
    with it, the notification is sent once. `idempotency_keys`: those of a batch, in its order.
    """

    idempotency_key: str | None = None
    idempotency_keys: tuple[str, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        """Be pickled and copied whole: `args` are not the arguments of a subclass's __init__."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class KeyReused(NotificationError):
    """The idempotency key was used for another request. Use a new key for a new request."""


# --- in SQL: your transaction is aborted by then, as by every error of PostgreSQL


class Refused(NotificationError):
    """The database refused the notification.

    `rule`: the constraint's name; `column`: which of the arguments; `hint`: what to write instead.
    """

    def __init__(self, message: str, *, rule: str = "", column: str = "", hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.rule = rule
        self.column = column
        self.hint = hint


class KeyReusedInSql(Refused, KeyReused):
    """SQLSTATE ND004."""


class Dropped(NotificationError):
    """A trigger or rule on the table that is not the service's dropped the row (ND007)."""


# --- over HTTP


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong. `pointer`: a JSON pointer into what was sent, or None."""

    code: str
    detail: str
    pointer: str | None = None


class Problem(NotificationError):
    """An answer that says no (RFC 9457). Decide by the class, or by `code`."""

    def __init__(
        self, *, code: str, type: str = "about:blank", title: str = "", status: int = 0,
        detail: str = "", errors: Sequence[Fault] = (), retry_after: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__(f"{status} {code}: {detail or title}")
        self.code = code
        self.type = type
        self.title = title
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after = retry_after


class NotAuthorized(Problem):
    """The key is missing, not valid, or may not do this (401, 403)."""


class NotFound(Problem):
    """There is no such notification, or it is not the key's to see (404)."""


class Invalid(Problem):
    """The request is wrong, and stays so (400, 413, 415, 422); see `errors`."""


class KeyReusedOverHttp(Invalid, KeyReused):
    """422 idempotency_key_reused."""


class TooLate(Problem):
    """It is being sent, or has come to its end: it cannot be cancelled (409)."""


class RateLimited(Problem):
    """The key goes faster than it may (429): ask again after `retry_after` seconds."""


class Unavailable(Problem):
    """The service could not, for as long as was waited (502, 503, 504)."""


class KeyInFlight(Problem):
    """Another request with the same idempotency key is being accepted at this moment (409)."""


class NoAnswer(NotificationError):
    """No answer came in time, or the connection was lost. It may have been accepted."""


class NotUnderstood(NotificationError):
    """What answers is not the service: a redirect, no JSON, too much of it."""


class SomeRefused(NotificationError):
    """Some notifications of a batch were not accepted.

    `results`, in the order of the batch: the id of what was accepted, else the problem.
    """

    def __init__(self, results: Sequence[UUID | Problem]) -> None:
        refused = [result for result in results if isinstance(result, Problem)]
        super().__init__(f"{len(refused)} of {len(results)} refused; the first: {refused[0]}")
        self.results = tuple(results)
