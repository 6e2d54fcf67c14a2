"""`notify up --sandbox`, as somebody's end-to-end tests see it."""

import urllib.parse
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from tests.acceptance.conftest import Command, free_port, get
from tests.acceptance.test_up import Up
from tests.waiting import LIMIT_S, wait_for

Start = Callable[..., Command]


def arrived(up: Up, **question: str) -> Any:
    """Ask what arrived, and wait for it."""
    query = urllib.parse.urlencode({"wait": "30"} | question)
    return get(f"{up.inbox}/arrivals?{query}")["arrivals"]


def test_whatever_is_sent_to_anybody_arrives_in_the_inbox(start: Start, state: Path) -> None:
    up = Up(start, state, "--sandbox")
    assert "SANDBOX: nothing leaves this machine" in up.command.output
    assert get(f"{up.api}/healthz") == {"status": "alive", "sandbox": True}

    hook = "https://example.org/hooks/orders?shop=1"
    id_ = up.sends(channel="webhook", recipient=hook, payload={"order": 42}, reference="order-42")
    [webhook] = arrived(up, reference="order-42")
    assert (webhook["id"], webhook["channel"], webhook["recipient"]) == (id_, "webhook", hook)
    assert webhook["payload"] == {"order": 42}
    assert webhook["headers"]["host"] == "example.org"
    assert webhook["signature"] == "signed ok"
    assert up.becomes(id_, "sent")["attempt"] == 1

    body = {"subject": "Hello", "text": "It works."}
    mail_id = up.sends(channel="email", recipient="ada@example.org", payload=body)
    [mail] = arrived(up, recipient="ada@example.org")
    assert (mail["id"], mail["subject"], mail["text"]) == (mail_id, "Hello", "It works.")

    up.sends(channel="log", recipient="somebody", payload={"n": 1}, reference="line")
    [line] = arrived(up, reference="line")
    assert (line["channel"], line["recipient"], line["payload"]) == ("log", "somebody", {"n": 1})
    assert up.command.stop() == 0


def test_what_a_transaction_inserts_arrives_and_what_it_takes_back_does_not(
    start: Start, state: Path
) -> None:
    up = Up(start, state, "--sandbox")
    dsn = up.command.output.partition("psql '")[2].partition("'")[0]
    send = "select notify.send('webhook', 'http://10.0.0.1:8080/status/410', '{}', %s)"
    with psycopg.connect(dsn) as conn:
        conn.execute(send, ["taken-back"])
        conn.rollback()
        conn.execute(send, ["kept"])
    [kept] = arrived(up)
    assert (kept["reference"], kept["answer"]) == ("kept", 410)
    with psycopg.connect(dsn) as conn:
        wait_for(
            lambda: conn.execute("select status from notify.outcomes(by_reference => 'kept')")
            .fetchone() == ("failed",)
        )  # fmt: skip
    assert up.command.stop() == 0


def test_its_ledger_and_others_keep_apart(start: Start, state: Path) -> None:
    up = Up(start, state, "--sandbox")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    hook = "https://example.org/hook"
    later = up.sends(channel="webhook", recipient=hook, payload=1, send_at=tomorrow)
    assert up.command.stop() == 0
    outside = Up(start, state)  # the same state, without a sandbox
    said = outside.command.says("this ledger is a sandbox's, and nothing is sent")
    assert "start it with --sandbox" in said
    assert get(f"{outside.api}/readyz")["status"] == "degraded"
    assert get(f"{outside.api}/healthz") == {"status": "alive"}
    assert get(f"{outside.api}/notifications/{later}")["id"] == later
    assert outside.command.stop() == 0


def test_a_ledger_that_was_used_outside_is_not_swallowed(
    start: Start, state: Path, dsn: str
) -> None:
    port = str(free_port())
    for env, says in (
        ({"DATABASE_URL": dsn}, "holds a ledger without a sandbox, whose notifications would go"),
        ({"ENVIRONMENT": "production"}, "ENVIRONMENT=production: a sandbox is no such"),
    ):
        up = start("up", "--sandbox", "--state", str(state), "--port", port, **env)
        assert up.process.wait(LIMIT_S) == 1
        assert says in up.output
    with psycopg.connect(dsn) as conn:
        assert conn.execute("select environment from notify.settings").fetchone() == (None,)


def test_a_foreign_database_that_is_empty_may_be_a_sandbox(
    start: Start, state: Path, empty_dsn: str, redis_url: str
) -> None:
    up = Up(start, state, "--sandbox",
        DATABASE_URL=empty_dsn, REDIS_URL=redis_url, SMTP_URL="smtp://mail.example",
        MAIL_FROM="us@example.org", WEBHOOK_PROXY_URL="http://proxy.example:3128",
    )  # fmt: skip
    body = {"subject": "Hello", "text": "x"}
    up.sends(channel="email", recipient="ada@example.org", payload=body)
    [mail] = arrived(up)
    assert mail["headers"]["from"] == "us@example.org"
    assert up.command.stop() == 0


def test_it_does_not_start_without_its_inbox(start: Start, state: Path) -> None:
    up = Up(start, state)
    taken = up.inbox.rpartition(":")[2]
    other = state / "other"
    second = start("up", "--sandbox", "--state", str(other), "--port", str(free_port()),
                   "--inbox-http-port", taken, "--inbox-smtp-port", str(free_port()))  # fmt: skip
    assert second.process.wait(LIMIT_S) == 1
    assert f"the inbox cannot listen on 127.0.0.1:{taken}" in second.output
    assert up.command.stop() == 0
