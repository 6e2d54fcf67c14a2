"""What a new key may be given: the same rules for `notify keys create` and POST /keys."""

import math
import re
from collections.abc import Iterator, Sequence

from service.access import recipients as patterns
from service.access.scopes import ADMIN, FOR_ALL_PRODUCERS, OPERATE, PAYLOAD, READ, SEND
from service.limits import PRODUCER_MAX_CHARS
from service.model.words import Channel

KINDS = ("live", "test", "team")
SCOPES = (SEND, *(f"{SEND}:{channel}" for channel in Channel), READ, PAYLOAD, OPERATE, ADMIN)
RECIPIENTS_MAX = 100
RATE_MIN_PER_S, RATE_MAX_PER_S = 0.001, 100_000.0
BURST_MAX = 1_000_000
PRODUCER = re.compile(r"[^\s\x00-\x1f\x7f-\x9f]+(?: [^\s\x00-\x1f\x7f-\x9f]+)*")

Faults = Iterator[tuple[str, str]]


def faults(
    *,
    producer: str,
    kind: str,
    scopes: Sequence[str],
    channels: Sequence[str] | None,
    recipients: Sequence[str] | None,
    rate_per_s: float | None,
    burst: int | None,
) -> Faults:
    """Say what is wrong: (field, sentence)."""
    if not is_producer(producer):
        sentence = f"Use 1 to {PRODUCER_MAX_CHARS} characters, all printable, no space at an end."
        yield "producer", sentence
    if kind not in KINDS:
        yield "kind", f"Use one of {', '.join(KINDS)}."
    yield from scope_faults(kind, scopes)
    if channels is not None and not channels:
        yield "channels", "Name one at least, or leave it out for all."
    if any(channel not in list(Channel) for channel in channels or ()):
        yield "channels", f"Use some of {', '.join(Channel)}."
    yield from recipient_faults(kind, recipients)
    yield from rate_faults(rate_per_s, burst)


def is_producer(name: str) -> bool:
    """Return whether a new key may be of this producer: lists show every character of it."""
    is_short = len(name) <= PRODUCER_MAX_CHARS
    return is_short and name.isprintable() and PRODUCER.fullmatch(name) is not None


def scope_faults(kind: str, scopes: Sequence[str]) -> Faults:
    """Check the scopes."""
    if not scopes or any(scope not in SCOPES for scope in scopes):
        yield "scopes", f"Use some of {', '.join(SCOPES)}."
    elif kind != "live" and not FOR_ALL_PRODUCERS.isdisjoint(scopes):
        yield "scopes", f"A {kind} key may not {OPERATE} or {ADMIN}: both reach live notifications."


def recipient_faults(kind: str, recipients: Sequence[str] | None) -> Faults:
    """Check the patterns. A team key is made of them."""
    if kind == "team" and not recipients:
        yield "recipients", "A team key sends to the recipients on its list alone: give some."
    elif recipients is not None and not 1 <= len(recipients) <= RECIPIENTS_MAX:
        yield "recipients", f"Give 1 to {RECIPIENTS_MAX} patterns, or leave it out for all."
    else:
        yield from (
            ("recipients", sentence) for p in recipients or () if (sentence := patterns.fault(p))
        )


def rate_faults(rate_per_s: float | None, burst: int | None) -> Faults:
    """Check the limit."""
    if rate_per_s is None:
        if burst is not None:
            yield "burst", "Give a rate as well."
    elif not (math.isfinite(rate_per_s) and RATE_MIN_PER_S <= rate_per_s <= RATE_MAX_PER_S):
        yield "rate_per_s", f"Use {RATE_MIN_PER_S:g} to {RATE_MAX_PER_S:g} requests a second."
    if burst is not None and not 1 <= burst <= BURST_MAX:
        yield "burst", f"Use 1 to {BURST_MAX} requests."
