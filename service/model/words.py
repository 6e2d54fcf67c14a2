"""The words of the ledger: channels, what a notification can be, what can come of an attempt."""

from enum import StrEnum


class Channel(StrEnum):
    """How a notification is delivered."""

    WEBHOOK = "webhook"
    EMAIL = "email"
    LOG = "log"


class Status(StrEnum):
    """Where a notification stands. The last four are ends; `failed` can be redriven."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Outcome(StrEnum):
    """What came of one attempt."""

    SENT = "sent"
    TEMPORARY = "temporary"  # try again, as RETRY_SCHEDULE says
    PERMANENT = "permanent"  # trying again cannot help
    THROTTLED = "throttled"  # the receiver says "not now": try again when it says, or at its pace
    UNREACHABLE = "unreachable"  # no receiver took it: no connection, DNS, TLS, a refused login
    DEFERRED = "deferred"  # the receiver says "this one later": greylisting
    UNKNOWN = "unknown"  # it may have arrived: try again, with the same id
    EXPIRED = "expired"  # expires_at passed before the send began
    LEASE_EXPIRED = "lease_expired"  # its worker did not settle it; written by reap()


LANES = (0, 1, 2, 3)  # priorities: 0 urgent, 3 bulk
DEFAULT_PRIORITY = 2
