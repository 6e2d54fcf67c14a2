"""The spans of one sender's attempts: begun before the transfer, ended with the verdict."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from service.model.words import Outcome
from workers.claim import Claim, Ended, Key, Unstarted

if TYPE_CHECKING:
    from service.tracing.tracer import Begun, Tracer


class Attempts:
    """Spans under way, by their attempt. Nothing here raises: a span is lost instead."""

    def __init__(self, tracer: "Tracer") -> None:
        self._tracer = tracer
        self._begun: dict[Key, Begun] = {}  # as many as there are transfers

    def begin(self, claim: Claim) -> Claim:
        """Begin a span; returns the claim as it is sent: with the span's own traceparent."""
        begun = self._span_of(claim)
        if begun is None:
            return claim
        self._begun[claim.key] = begun
        return replace(claim, traceparent=begun.traceparent)

    def end(self, results: Iterable[Ended | Unstarted]) -> None:
        """End the spans of what ended; what goes back unstarted was no attempt."""
        for result in results:
            begun = self._begun.pop(result.claim.key, None)
            if isinstance(result, Ended) and (begun := begun or self._span_of(result.claim)):
                outcome, code = result.verdict.outcome, result.verdict.code
                attributes = {"notification.outcome": str(outcome)}
                if code is not None:
                    attributes["notification.code"] = code
                begun.end(attributes, None if outcome is Outcome.SENT else code or str(outcome))

    def _span_of(self, claim: Claim) -> "Begun | None":
        return self._tracer.attempt(claim.id, claim.attempt, claim.channel, claim.traceparent)
