"""The headers of a webhook, signed as Standard Webhooks does (HMAC-SHA256, scheme v1)."""

import base64
import hashlib
import hmac
import time


def headers(key: bytes, webhook_id: str, body: bytes, name: str) -> dict[str, str]:
    """Give what our service sends, too. The receiver wants 36 characters as an id."""
    timestamp = int(time.time())
    content = b"%b.%d.%b" % (webhook_id.encode(), timestamp, body)
    signature = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    return {
        "Content-Type": "application/json",
        "User-Agent": name,
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }


class FirstClaim:
    """Print when this process claimed its first jobs."""

    def __init__(self) -> None:
        self._printed = False

    def was(self, unix_s: float) -> None:
        """Print once; two threads at the same instant may print twice."""
        if not self._printed:
            self._printed = True
            print(unix_s, flush=True)
