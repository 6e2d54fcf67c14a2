"""The slowest input that is allowed, per field: what one client can cost the others at once."""

import contextlib
import json
import math
import time
from collections.abc import Callable, Iterator

import msgspec

from load.bench.stack import Stack
from load.bench.table import Row
from service.api import body
from service.config.settings import Settings
from service.http.problems import Problem
from workers.channels.channel import Channel
from workers.channels.email import EmailChannel
from workers.channels.webhook import WebhookChannel
from workers.claim import Claim

ASKED_MS = 5.0
PAYLOAD_MAX_BYTES = 262_144
RUNS = 5
SETTINGS = Settings(smtp_url="smtp://127.0.0.1", mail_from="us@example.org")
CHANNELS: dict[str, Channel] = {
    "email": EmailChannel(SETTINGS),
    "webhook": WebhookChannel(SETTINGS),
}
MAIL = {"subject": "s", "text": "t"}

# Each has been the worst of its kind for some check that was in use or thought of.
ADDRESSES = (
    "a" + "\u0301\u0316" * 60 + "@x.example",
    "a@" + "\ufdfa" * 80,
    "a@" + "\u0660" * 88,
    "a@" + "\u05d0." * 60 + "x",
    "a@" + "xn--tda." * 30 + "x",
    "\u0958" * 80 + "@x.example",
    "<" * 254,
)
URLS = ("http://" + "a" * 2041, "http://" + "a@" * 1020, "http://[" + ":" * 2039, "http" * 512)
LINES = ("\U0001f600" * 998, "a " * 499, "=?" * 499, "\t" * 998, "x" * 998)
BODIES = ("\n", "\n.", "x", ".", "=", "\u00fc", " \n", "\r", "1", "1e", "1.", "\\")


def run(stack: Stack) -> Row:
    """Measure CPU time of one thread, the edge's or a worker's, whichever is longer."""
    worst = {field: max(map(held_ms, rows)) for field, rows in fields().items()}
    slowest = max(worst, key=lambda field: worst[field])
    return Row(
        what=f"odd input: the slowest, {slowest}",
        figure=worst[slowest],
        unit="ms",
        asked=ASKED_MS,
        ceiling=held_ms(mail()),
        ceiling_is="an ordinary mail",
        note=", ".join(f"{field} {ms:.1f}" for field, ms in worst.items()),
    )


def fields() -> dict[str, Iterator[dict[str, object]]]:
    """Give rows for each field."""
    return {
        "address": (mail(recipient=text) for text in ADDRESSES),
        "reply_to": (mail(reply_to=text) for text in ADDRESSES),
        "url": ({"channel": "webhook", "recipient": text, "payload": 0} for text in URLS),
        "reference": (mail() | {"reference": "\u0301" * 255} for _ in range(1)),
        "subject": (mail(subject=text) for text in LINES),
        "header": (mail(headers={"List-Unsubscribe": text}) for text in LINES),
        "headers": (mail(headers={f"X-{n}": text for n in range(50)}) for text in LINES),
        "text": (mail(text=filled(text)) for text in BODIES),
    }


def mail(recipient: str = "a@b.example", **payload: object) -> dict[str, object]:
    """Make a row of a mail."""
    return {"channel": "email", "recipient": recipient, "payload": MAIL | payload}


def filled(text: str) -> str:
    """Repeat a text until the payload is full."""
    size = len(json.dumps(text, ensure_ascii=False).encode()) - len('""')
    return text * ((PAYLOAD_MAX_BYTES - 100) // size)


def held_ms(row: dict[str, object]) -> float:
    """Measure how long a row holds the event loop, and a worker, whom SQL can give it alone."""
    request = msgspec.json.encode(row)
    claim = Claim(
        id="01a202fe-4dde-77b7-a3d8-a0b97bfc4b61",
        attempt=1,
        channel=str(row["channel"]),
        recipient=str(row["recipient"]),
        payload=msgspec.json.encode(row["payload"]).decode(),
        lease_ends=math.inf,
        expires_at=None,
        slept_s=0.0,
    )
    prepare = CHANNELS[claim.channel].prepare
    return max(took_ms(lambda: accept(request)), took_ms(lambda: prepare(claim)))


def accept(request: bytes) -> None:
    """Read a body as the edge does, refused or not."""
    with contextlib.suppress(Problem):
        body.read_notification(request, SETTINGS)


def took_ms(work: Callable[[], object]) -> float:
    """Take the best of a few runs: what it costs, not what the machine adds."""
    took = []
    for _ in range(RUNS):
        started = time.process_time()
        work()
        took.append(time.process_time() - started)
    return min(took) * 1000
