"""API keys: `nk_<id>_<secret>`, how they are made, and how a request brings one."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

# Crockford's base 32: without i, l, o and u, so that no character looks like another.
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
ID_CHARS = 10
SECRET_BITS = 256
SECRET_CHARS = 52  # 5 bits each
KEY = re.compile(rf"nk_([{ALPHABET}]{{{ID_CHARS}}})_([{ALPHABET}]{{{SECRET_CHARS}}})")
BEARER = re.compile(rf"(?i:bearer) +{KEY.pattern}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A row of the table `api_keys`. None of `channels` and `recipients`: all; of a limit: none."""

    id: str
    producer: str
    kind: str
    secret_sha256: bytes = field(repr=False)
    scopes: list[str]
    channels: list[str] | None
    recipients: list[str] | None
    rate_per_s: float | None
    burst: int | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class ValidKeys(NamedTuple):
    """The keys that are valid, and a digest that tells whether they have changed since."""

    keys: list[ApiKey]
    digest: str  # empty: no key was ever made


class Secret(NamedTuple):
    """A key in the hands of who calls: its id, and its secret."""

    id: str
    secret: str

    def __repr__(self) -> str:
        return f"nk_{self.id}_…"

    def __str__(self) -> str:
        return f"nk_{self.id}_{self.secret}"

    @property
    def sha256(self) -> bytes:
        """What the ledger keeps: 256 random bits need no slow hash."""
        return hashlib.sha256(self.secret.encode()).digest()


def minted() -> Secret:
    """Make a key that nobody has."""
    return Secret(
        base32(secrets.randbits(5 * ID_CHARS), ID_CHARS),
        base32(secrets.randbits(SECRET_BITS), SECRET_CHARS),
    )


def base32(number: int, length: int) -> str:
    """Write a number in as many characters."""
    return "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(length)))


def brought(authorizations: Sequence[str]) -> Secret | None:
    """Read the values of the header Authorization (RFC 6750); None: they are not one key.

    The scheme is written in any case, the key is not.
    """
    match = BEARER.fullmatch(authorizations[0]) if len(authorizations) == 1 else None
    return None if match is None else Secret(match[1], match[2])
