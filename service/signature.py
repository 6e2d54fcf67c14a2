"""Sign webhooks: Standard Webhooks 1.0 (https://www.standardwebhooks.com), symmetric scheme v1."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

PREFIX = "whsec_"


def signature(keys: Sequence[bytes], webhook_id: str, timestamp: int, body: bytes) -> str:
    """Return the header webhook-signature: one `v1,…` per key, in the order of the keys."""
    content = b"%b.%d.%b" % (webhook_id.encode(errors="surrogateescape"), timestamp, body)
    return " ".join(
        "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode() for key in keys
    )


def key(secret: str) -> bytes:
    """Read a secret as the reference libraries do, so that both ends can have the same text.

    It is base64, with or without the prefix `whsec_`; what has no prefix and is not base64 is taken
    as it stands. Raises ValueError.
    """
    try:
        key_bytes = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key_bytes = b"" if secret.startswith(PREFIX) else secret.encode()
    if not key_bytes:
        raise ValueError("base64 after whsec_")
    return key_bytes
