"""Decide what may begin, and put into words what came of it. Pure."""

import re
from collections.abc import Mapping

from service.model.words import Outcome
from workers.claim import Claim, Ended, Unstarted, Verdict

EXCERPT_CHARS = 500
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")

Meaning = tuple[Outcome, str]  # the outcome, and our word for it

EXPIRED = Verdict(
    outcome=Outcome.EXPIRED, code="expired", excerpt="expires_at passed before the send"
)
ABORTED = Verdict(
    outcome=Outcome.UNKNOWN, code="aborted", excerpt="the worker stopped during the send"
)
UNKNOWN_CHANNEL = Verdict(
    outcome=Outcome.TEMPORARY, code="unknown_channel", excerpt="this worker does not know it"
)
BROKEN = Verdict(outcome=Outcome.TEMPORARY, code="internal_error", excerpt="see the worker's log")


def unsent_result(
    claim: Claim, now: float, deadline_s: float, slept_s: float = 0.0
) -> Ended | Unstarted | None:
    """Return why a send must not begin now; None: it may.

    A send may take its whole deadline (`deadline_s`: what is left of it), and must end within the
    lease: after it, another worker may send the same. `slept_s`: for how long this machine has
    slept since the claim; `now`, which is monotonic, lacks that.
    """
    awake = now + slept_s
    if claim.expires_at is not None and claim.expires_at <= awake:
        return Ended(claim=claim, verdict=EXPIRED, started_at=now, took_ms=0)
    if claim.lease_ends - awake < deadline_s:
        return Unstarted(claim=claim)
    return None


def blames_destination(verdict: Verdict) -> bool:
    """Return whether an answer, or its absence, means that other sends there would fail as well.

    A 408 or 425 is an answer to this one notification.
    """
    if verdict.outcome is Outcome.UNREACHABLE:
        return True
    if verdict.outcome not in (Outcome.TEMPORARY, Outcome.UNKNOWN):
        return False
    return not (verdict.code or "").startswith("4")


def excerpt(answer: bytes | str) -> str | None:
    """Make clean text: valid UTF-8, no control characters, 500 at most. None: nothing is left."""
    if not answer:
        return None
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return UNPRINTABLE.sub(" ", text[:EXCERPT_CHARS]).strip() or None


def by_class(status: int, table: Mapping[int | str, Outcome]) -> Outcome:
    """Look a status up: first the status itself, then its class ("5xx")."""
    return table.get(status) or table.get(f"{status // 100}xx", Outcome.UNKNOWN)
