"""What a worker holds: a claim under its lease, and what became of it.

Each is made once for every notification: a Struct is made ten times as fast as a frozen dataclass.
"""

import math
from enum import StrEnum
from queue import SimpleQueue

from msgspec import Struct

from service.model.words import Outcome
from service.traceparent import trace_id

Key = tuple[str, int]  # id and attempt


class Claim(Struct, frozen=True, kw_only=True, gc=False):
    """One notification under one numbered lease. Times are this process's monotonic seconds.

    `slept_s`: what since_boot() was ahead of monotonic at the claim. It is further ahead once the
    machine has slept: for so long, the lease went on while monotonic stood still.
    """

    id: str  # the UUID as text
    attempt: int
    channel: str
    recipient: str
    payload: str  # JSON
    lease_ends: float
    expires_at: float | None
    slept_s: float
    patience_ends: float = math.inf  # from then on every answer counts as an attempt
    is_urgent: bool = False  # of the first lane
    is_test: bool = False  # played, never sent: see workers/channels/simulator.py
    traceparent: str | None = None  # of whoever enqueued it, as service/traceparent.py writes it

    @property
    def key(self) -> Key:
        """The fence: which attempt of which notification."""
        return self.id, self.attempt

    @property
    def log_fields(self) -> dict[str, object]:
        """What every log line about it says: which attempt this is, and of whose trace, if any."""
        fields: dict[str, object] = {
            "notification_id": self.id,
            "attempt": self.attempt,
            "channel": self.channel,
        }
        if self.traceparent is not None:
            fields["trace_id"] = trace_id(self.traceparent)
        return fields


class Verdict(Struct, frozen=True, kw_only=True, gc=False):
    """What an answer means. `code`: an HTTP status, an SMTP reply or a word of ours.

    `of_domain`: the answer is about the mail's domain, and the mail server has only passed it on.
    """

    outcome: Outcome
    code: str | None = None
    excerpt: str | None = None
    retry_after_s: float | None = None
    of_domain: bool = False


class Ended(Struct, frozen=True, kw_only=True, gc=False):
    """An attempt that is to be settled. `started_at` is monotonic.

    `destination`: as its sender names it, "" if it never came to one.
    """

    claim: Claim
    verdict: Verdict
    started_at: float
    took_ms: int
    destination: str = ""


class Parked(StrEnum):
    """Why a claim goes back for a while."""

    BREAKER = "breaker"  # its destination fails
    SHARE = "share"  # its destination has all the slots that it may have, alone or with others
    PACE = "pace"  # its destination throttles: the next send to it has to wait
    NAME = "name"  # its name is being looked up, and that takes long
    URL = "url"  # its URL is left alone: its receiver named a time, or takes nothing


class Unstarted(Struct, frozen=True, kw_only=True, gc=False):
    """A claim that is to be released; it is due again after `delay_s`.

    `parked` None: the reason is ours, not its destination's.
    """

    claim: Claim
    delay_s: float = 0.0
    parked: Parked | None = None


Outbox = SimpleQueue[list[Ended | Unstarted]]  # from the senders to the settler
