"""A ledger with a life behind it: every state, attempts, workers, what is kept back, the audit."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import Connection

from tests import ledger, rollups
from tests.browser import hostile

EACH = 60  # rows of each kind, so that lists have several pages
HOOK = "https://hooks.example.org/orders"
DEAD = "https://dead.example.org/hook"
WORKER = "worker-1:4242-ab12cd"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
REFUSED = {"outcome": "temporary", "code": "503", "excerpt": "upstream is down"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """One notification of each state, by its name; and those with hostile texts, by theirs."""

    states: dict[str, UUID]
    hostile: dict[str, UUID]


def seed(db: Connection[Any]) -> Seeded:
    """Fill a ledger."""
    states = usual(db)
    living(db, WORKER, "hooks.example.org")
    used(db, "shop", {"ids": [str(states["failed"])]})
    an_hour(db, "https://hooks.example.org", "https://dead.example.org")
    paused(db, "destination", "https://dead.example.org", "They move house.")
    return Seeded(states=states, hostile={})


def usual(db: Connection[Any]) -> dict[str, UUID]:
    """Add what every system has; returns one id of each state."""
    kept: dict[str, UUID] = {}
    hook: dict[str, Any] = {
        "channel": "webhook", "recipient": HOOK, "producer": "shop", "traceparent": TRACE,
        "payload": json.dumps({"order": 42, "lines": [{"sku": "a", "n": 2}, {"sku": "b", "n": 1}]}),
    }  # fmt: skip
    letter = json.dumps({"subject": "Your order", "text": "It is on its way."})
    mail = {"channel": "email", "recipient": "ada@example.org", "producer": "billing"}
    sent = ledger.enqueue(db, EACH, **hook, reference="order-42")
    settle(db, sent, "sent", code="200", excerpt="ok", took_ms=120)
    mails = ledger.enqueue(db, EACH, **mail, payload=letter, reference="invoice-7")
    settle(db, mails, "sent", code="250", excerpt="2.0.0 Ok: queued", took_ms=900)
    failed = ledger.enqueue(db, EACH, **hook | {"recipient": DEAD}, reference="order-13")
    settle(db, failed, **REFUSED)
    make_due(db, failed)
    settle(db, failed, "permanent", code="410", excerpt="Gone")
    expired = ledger.enqueue(db, 5, **hook)
    settle(db, expired, "expired", code="expired")
    cancelled = ledger.enqueue(db, 5, **hook)
    ledger.cancel(db, cancelled)
    sending = ledger.enqueue(db, 5, **hook)
    ledger.claim(db, sending, worker=WORKER)
    retried = ledger.enqueue(db, EACH, **hook | {"recipient": DEAD})
    settle(db, retried, **REFUSED)
    queued = ledger.enqueue(db, EACH, **hook, priority=3)
    [later] = ledger.enqueue(db, **hook, send_at=ledger.ago(db, "-1 day"))
    for state, ids in {
        "sent": sent, "mail": mails, "failed": failed, "expired": expired, "cancelled": cancelled,
        "sending": sending, "retried": retried, "queued": queued,
    }.items():  # fmt: skip
        kept[state] = ids[0]
    ledger.fold_slo(db)
    return kept | {"later": later}


def settle(db: Connection[Any], ids: list[UUID], outcome: str, **answer: Any) -> None:
    """Let a worker send these, with this answer for each."""
    claimed = ledger.claim(db, ids, limit=len(ids), worker=WORKER)
    assert len(claimed) == len(ids)
    ledger.settle(db, claimed, outcome, **answer, worker=WORKER)


def make_due(db: Connection[Any], ids: list[UUID]) -> None:
    """Let the wait for their next attempt be over."""
    db.execute("update notify.notifications set due_at = created_at where id = any (%s)", [ids])


def living(db: Connection[Any], worker: str, destination: str) -> None:
    """Let a worker beat, which keeps back what is for one destination."""
    db.execute(
        "select notify.beat(%s, 'host-1', '1.0', null, '{webhook,email,log}', '1 hour', 512, 5,"
        " 1000, '1 hour')",
        [worker],
    )
    kept_back = [
        {"channel": "webhook", "destination": destination, "state": state, "url_hash": "",
         "code": "503", "ago_s": 120, "in_s": 8}
        for state in ("breaker", "pace")
    ]  # fmt: skip
    db.execute("select notify.note_destinations(%s, %s, '[]')", [worker, json.dumps(kept_back)])


def used(db: Connection[Any], actor: str, detail: dict[str, Any]) -> None:
    """Write into the audit that somebody used each verb."""
    for verb in ("cancel", "redrive", "keys.create"):
        db.execute(
            "select notify.record_use(%s, %s, %s, %s)", [actor, "k1", verb, json.dumps(detail)]
        )


def an_hour(db: Connection[Any], *destinations: str) -> None:
    """Let these have had some minutes of sends, and the leader have counted meanwhile."""
    last = rollups.now_s(db)
    for ago_s in (60, 120, 1800):
        counted = [
            rollups.counts(name, 12, 80, 3000, failures=1, last_code="503", failed_s=last - ago_s)
            for name in destinations
        ]
        rollups.add_minutes(db, *counted, at_s=last - ago_s)
    for minutes in range(15, -1, -1):
        rollups.note_figures(db, f"{minutes} minutes", queued=100 - minutes, sending=5)


def paused(db: Connection[Any], kind: str, name: str, reason: str) -> None:
    """Pause what comes from a producer, or goes to a destination."""
    db.execute("select notify.pause(%s, %s, p_reason => %s)", [kind, name, reason])


def seed_hostile(db: Connection[Any]) -> Seeded:
    """Fill a ledger with texts that want to be more: one notification for each."""
    states, ids = usual(db), dict[str, UUID]()  # lists begin with what came last
    everything = hostile.SHORT | hostile.LONG | hostile.CONTROLS
    for name, text in everything.items():
        word = hostile.printable(text)[:255] if name not in hostile.CONTROLS else name
        [id] = ledger.enqueue(
            db, channel="log", recipient=word, reference=word, producer=word,
            idempotency_key=f"{name} {word}"[:255],
            payload=json.dumps({text: [text, {text: text}], "text": text}),
        )  # fmt: skip
        ids[name] = id
        claimed = ledger.claim(db, [id], worker=text[:250])
        ledger.settle(
            db, claimed, "permanent", code=word[:60], excerpt=text[:500], worker=text[:250]
        )
    webhooks(db, ids)
    bodies(db, ids)
    for name, text in hostile.SHORT.items():
        living(db, text[:200], text[:200])
        used(db, text, {"filter": {"reference": text}, name: text})
        an_hour(db, text[:200])
        paused(db, "producer", (word := hostile.printable(text)[:255]), word)
    ledger.fold_slo(db)
    return Seeded(states=states, hostile=ids)


def webhooks(db: Connection[Any], ids: dict[str, UUID]) -> None:
    """Add URLs and mails, as far as a sender's own checks let them in."""
    quote = "%22%3E%3Cscript%20data-xss%3Ealert(1)%3C/script%3E"
    found = {
        "path": f"https://example.org/'onmouseover='alert(1)'/{quote}?a=b&amp;lt=<#x".replace(
            "<", "%3C"
        ),
        "long path": "https://example.org/" + "w" * 2000,
    }
    for name, url in found.items():
        [ids[name]] = ledger.enqueue(db, channel="webhook", recipient=url, payload="{}")
    html = "".join(hostile.TAGS.values())
    headers = {f"X-{name}": hostile.printable(text) for name, text in hostile.SHORT.items()}
    mail = {"subject": hostile.TAGS["image"], "text": html, "html": html, "headers": headers}
    [ids["mail"]] = ledger.enqueue(
        db, channel="email", recipient="ada@example.org", payload=json.dumps(mail)
    )


def bodies(db: Connection[Any], ids: dict[str, UUID]) -> None:
    """Add the largest payloads that there may be: one word, many lines, many levels."""
    deep: Any = hostile.TAGS["script"]
    for _ in range(60):
        deep = {"in": deep}
    large = {
        "one word": "w" * 260_000,
        "many lines": ["a line of text that is not long"] * 7000,
        "many levels": deep,
    }
    for name, payload in large.items():
        [ids[name]] = ledger.enqueue(
            db, channel="log", recipient=name, payload=json.dumps(payload), reference=name
        )
