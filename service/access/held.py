"""The valid keys as they are held in memory: who calls with each, and how fast."""

import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from service.access.allowance import Allowance
from service.access.caller import Caller
from service.access.key import ApiKey, Secret
from service.access.scopes import FOR_ALL_PRODUCERS

NOBODY = bytes(32)  # compared with when the id is unknown, so that this takes as long


@dataclass(slots=True, kw_only=True)
class Held:
    """A key in memory."""

    caller: Caller
    secret_sha256: bytes
    allowance: Allowance | None


def matching(held: Mapping[str, Held], secret: Secret) -> Held | None:
    """Return the key that this is; None: it is none."""
    key = held.get(secret.id)
    is_right = hmac.compare_digest(secret.sha256, key.secret_sha256 if key else NOBODY)
    return key if is_right else None


def held_from(
    keys: Iterable[ApiKey], before: Mapping[str, Held], now: Callable[[], float]
) -> dict[str, Held]:
    """Hold keys by their ids. Where its terms are those of before, an allowance goes on."""
    return {
        key.id: Held(
            caller=caller_with(key),
            secret_sha256=key.secret_sha256,
            allowance=allowance_of(key, before.get(key.id), now),
        )
        for key in keys
    }


def allowance_of(key: ApiKey, before: Held | None, now: Callable[[], float]) -> Allowance | None:
    """Return what is left of how fast a key may go; None: as fast as it likes."""
    if key.rate_per_s is None:
        return None
    allowance = before.allowance if before else None
    if allowance is None or allowance.terms != (key.rate_per_s, key.burst):
        return Allowance(key.rate_per_s, key.burst, now)
    return allowance


def caller_with(key: ApiKey) -> Caller:
    """Return who calls with a key: whatever somebody's hand wrote, it gives no more than it may."""
    scopes = frozenset(texts(key.scopes))
    recipients = () if key.recipients is None and key.kind == "team" else key.recipients
    return Caller(
        producer=key.producer,
        key_id=key.id,
        kind=key.kind,
        scopes=scopes if key.kind == "live" else scopes - FOR_ALL_PRODUCERS,
        channels=None if key.channels is None else frozenset(texts(key.channels)),
        recipients=None if recipients is None else tuple(texts(recipients)),
    )


def texts(values: Iterable[object]) -> Iterator[str]:
    """Return the texts of an array of PostgreSQL, which may hold nulls, and further arrays."""
    return (value for value in values if isinstance(value, str))
