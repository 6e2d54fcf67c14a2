"""An error as a client gets it, and how it is written (RFC 9457, application/problem+json)."""

from collections.abc import Mapping, Sequence

import msgspec
from aiohttp import web

from service.errors import NotifyError
from service.http.problem_kinds import KINDS

RETRY_AFTER_S = 1
FAULTS_MAX = 20
PROBLEM_HEADERS = {
    "Content-Type": "application/problem+json",
    # Some answers come from where no other code sets these.
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
# Aiohttp answers with these statuses by itself, before or around our handlers.
OF_STATUS: Mapping[int, str] = {
    400: "malformed_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    417: "expectation_failed",
}


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong, and where: a JSON pointer into the body, or a query parameter."""

    code: str
    detail: str
    pointer: str | None = None
    parameter: str | None = None


class ProblemDocument(msgspec.Struct, frozen=True):
    """The body of every error."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: Sequence[Fault] = ()


class Problem(NotifyError):
    """A request that is answered with an error; `code` is one of KINDS."""

    def __init__(
        self, code: str, detail: str = "", *,
        faults: Sequence[Fault] = (), headers: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(code)
        self.code = code
        self.kind = KINDS[code]
        self.detail = detail or self.kind.advice
        self.faults = faults[:FAULTS_MAX]
        self.headers = dict(headers or {})
        if self.kind.status == 503 or code == "idempotency_key_in_flight":
            self.headers["Retry-After"] = str(RETRY_AFTER_S)


def invalid(faults: Sequence[Fault]) -> Problem:
    """Make one problem of one or more faults; it has the code of the first."""
    return Problem(faults[0].code, faults[0].detail, faults=faults)


def document_of(problem: Problem) -> ProblemDocument:
    """Make the document of a problem."""
    return ProblemDocument(
        type=f"/docs#{problem.code}",
        title=problem.kind.title,
        status=problem.kind.status,
        code=problem.code,
        detail=problem.detail,
        errors=problem.faults,
    )


def body_of(problem: Problem) -> bytes:
    """Write the document."""
    return msgspec.json.encode(document_of(problem))


def answer(problem: Problem) -> web.Response:
    """Render a problem."""
    return web.Response(
        body=body_of(problem),
        status=problem.kind.status,
        headers={**problem.headers, **PROBLEM_HEADERS},
    )


def of_status(status: int, headers: Mapping[str, str] | None = None) -> Problem:
    """Make the problem of a bare HTTP status. Its text stays out: it quotes what was sent."""
    return Problem(OF_STATUS.get(status, "internal_error"), headers=headers)
