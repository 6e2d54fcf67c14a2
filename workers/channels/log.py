"""The channel `log`: a line on standard output; for demos and benchmarks.

Not a line of loguru: that costs 16 microseconds, a third of a core at 20,000 a second. The sender
writes the lines of one batch at once.
"""

import msgspec

from service.logs.logs import masked
from service.model.words import Outcome
from workers.channels.channel import Answer, Line
from workers.claim import Claim, Verdict

SENT = Verdict(outcome=Outcome.SENT)
encode = msgspec.json.Encoder().encode


class LogChannel:
    """Write that a notification was delivered, and nothing of its content."""

    at_once_max = None

    def destination(self, claim: Claim) -> None:
        """Return None: a line goes to standard output."""

    def domain(self, claim: Claim) -> str:
        """Return nothing: it is never asked for."""
        return ""

    def prepare(self, claim: Claim) -> Line:
        """Return one JSON object."""
        line = {
            "delivered": claim.id,
            "attempt": claim.attempt,
            "recipient": masked(claim.recipient),
        }
        return Line(encode(line).decode())

    def judge(self, answer: Answer) -> Verdict:
        """An error means that nobody reads standard output, or a full disk: the line waits."""
        if not answer.error:
            return SENT
        return Verdict(outcome=Outcome.UNREACHABLE, code="not_written", excerpt=answer.error_text)
