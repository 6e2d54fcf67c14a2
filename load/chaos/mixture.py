"""What the producers send: a mixture of channels, priorities and times. Pure."""

from datetime import UTC, datetime
from random import Random
from typing import Any

Notification = dict[str, Any]


def made_up(random: Random, reference: str, sink_url: str, now: float) -> Notification:
    """Make one up, as both POST /notify and INSERT take it. `now`: epoch seconds."""
    channel = random.choices(("webhook", "email", "log"), (70, 15, 15))[0]
    send_at = now + random.uniform(0, 5) if random.random() < 0.1 else None
    expires_at = (send_at or now) + random.uniform(6, 15) if random.random() < 0.05 else None
    return {
        "channel": channel,
        "recipient": recipient(channel, reference, sink_url),
        "payload": payload(channel, random),
        "priority": random.choices((0, 1, 2, 3), (5, 15, 60, 20))[0],
        "send_at": stamp(send_at),
        "expires_at": stamp(expires_at),
        "max_attempts": 3 if random.random() < 0.05 else None,
        "reference": reference,
    }


def recipient(channel: str, reference: str, sink_url: str) -> str:
    """Say where it goes."""
    if channel == "webhook":
        return f"{sink_url}/{reference}"
    return f"{reference}@example.com" if channel == "email" else reference


def payload(channel: str, random: Random) -> dict[str, Any]:
    """Say something, short or long."""
    text = "x" * random.choice((10, 100, 2000))
    return {"subject": "chaos", "text": text} if channel == "email" else {"text": text}


def stamp(at: float | None) -> str | None:
    """Spell a time as RFC 3339."""
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat()
