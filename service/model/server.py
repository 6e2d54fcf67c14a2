"""How PostgreSQL and our connections to it stand."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Vitals:
    """How PostgreSQL itself stands; sql/vitals.sql explains each, and when it is None."""

    notify_usage: float
    oldest_transaction_age: timedelta | None
    xmin_age: int | None
    notifications_dead: int
    attempts_dead: int
    notifications_bytes: int
    attempts_bytes: int
    days_ahead: int
    notifications_in_default: int
    attempts_in_default: int


@dataclass(frozen=True, slots=True)
class PoolStats:
    """How a pool of connections stands; `waited_s` and `timeouts` only grow."""

    idle: int
    used: int
    waiting: int
    waited_s: float
    timeouts: int


@dataclass(frozen=True, slots=True)
class Checkup:
    """What checkup() returns; sql/checkup.sql explains each."""

    server_version_num: int
    now_at: datetime
    is_replica: bool
    days_ahead: int
    expired_leases: int
    in_default: int
    notify_usage: float
    oldest_transaction_age: timedelta | None
    finds_table: bool


@dataclass(frozen=True, slots=True)
class LockHolder:
    """Who holds one of our advisory locks.

    `is_ours`: a dispatcher does. `pid` None: a prepared transaction does, and no session.
    """

    pid: int | None
    role: str | None
    application: str | None
    is_ours: bool

    def __str__(self) -> str:
        if self.pid is None:
            return "a prepared transaction (see pg_prepared_xacts)"
        return f"pid {self.pid}, role {self.role}, application {self.application or '(none)'}"
