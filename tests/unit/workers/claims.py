"""Claims for tests."""

import json
import time
from typing import Any

from service.clock import since_boot
from workers.claim import Claim

ID = "01a202fe-4dde-77b7-a3d8-a0b97bfc4b61"


def a_claim(payload: object = None, **fields: Any) -> Claim:
    """Make a claim of a webhook whose lease has half a minute left."""
    values: dict[str, Any] = {
        "id": ID,
        "attempt": 1,
        "channel": "webhook",
        "recipient": "https://example.org/hook",
        "payload": json.dumps(payload),
        "lease_ends": time.monotonic() + 30,
        "expires_at": None,
        "slept_s": since_boot() - time.monotonic(),
    }
    return Claim(**(values | fields))
