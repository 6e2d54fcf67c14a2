"""Sign webhooks: Standard Webhooks 1.0 (https://www.standardwebhooks.com), symmetric scheme v1."""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from functools import lru_cache

PREFIX = "whsec_"
BLOCK_BYTES = 64  # of SHA-256
INNER = bytes(byte ^ 0x36 for byte in range(256))
OUTER = bytes(byte ^ 0x5C for byte in range(256))


def signature(keys: Sequence[bytes], webhook_id: str, timestamp: int, body: bytes) -> str:
    """Return the header webhook-signature: one `v1,…` per key, in the order of the keys."""
    content = b"%b.%d.%b" % (webhook_id.encode(errors="surrogateescape"), timestamp, body)
    return " ".join(["v1," + base64.b64encode(hmac_sha256(key, content)).decode() for key in keys])


def hmac_sha256(key: bytes, content: bytes) -> bytes:
    """Return the HMAC (RFC 2104). hmac.digest lets other threads run: 31 µs while they compute."""
    inner, outer = begun(key)
    inner, outer = inner.copy(), outer.copy()
    inner.update(content)
    outer.update(inner.digest())
    return outer.digest()


@lru_cache
def begun(key: bytes) -> tuple["hashlib._Hash", "hashlib._Hash"]:
    """Return the two hashes of a key that each HMAC begins with."""
    block = hashlib.sha256(key).digest() if len(key) > BLOCK_BYTES else key
    block = block.ljust(BLOCK_BYTES, b"\0")
    return hashlib.sha256(block.translate(INNER)), hashlib.sha256(block.translate(OUTER))


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
