"""API keys of tests: made by SQL, and brought in a header."""

from typing import Any

import psycopg

from service.access.key import Secret, minted

CREATE = "select notify.create_key(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"


def make(
    db: psycopg.Connection[Any], *scopes: str, producer: str = "shop", kind: str = "live",
    channels: list[str] | None = None, recipients: list[str] | None = None,
    rate_per_s: float | None = None, burst: int | None = None, expires_at: str | None = None,
    secret: Secret | None = None,
) -> Secret:  # fmt: skip
    """Make a key, with scope send if none is given."""
    secret = secret or minted()
    [refusal] = db.execute(CREATE, [
        secret.id, secret.sha256, producer, kind, list(scopes) or ["send"], channels, recipients,
        rate_per_s, burst, expires_at, None, None,
    ]).fetchone()  # fmt: skip
    assert refusal is None
    return secret


def bearer(secret: Secret) -> dict[str, str]:
    """Give the header that brings a key."""
    return {"Authorization": f"Bearer {secret}"}
