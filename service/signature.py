"""Sign webhooks: Standard Webhooks 1.0 (https://www.standardwebhooks.com), symmetric scheme v1."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

PREFIX = "whsec_"


def signature(keys: Sequence[bytes], webhook_id: str, timestamp: int, body: bytes) -> str:
    """Return the header webhook-signature: one `v1,…` per key, the first key's first."""
    content = b"%b.%d.%b" % (webhook_id.encode(errors="surrogateescape"), timestamp, body)
    return " ".join(
        "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode() for key in keys
    )


def key(secret: str) -> bytes:
    """Read a secret as the reference libraries do, so that both ends can be given the same text.

    It is base64, with or without `whsec_`; what is not base64 and has no prefix stands for its
    bytes. Raises ValueError.
    """
    try:
        found = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        found = b"" if secret.startswith(PREFIX) else secret.encode()
    if not found:
        raise ValueError("base64 after whsec_")
    return found
