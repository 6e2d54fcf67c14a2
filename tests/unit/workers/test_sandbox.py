"""Where a sandbox leads what is sent: to the inbox, with the recipient's own path and Host."""

import pytest

from service.cli.sandbox import for_its_worker
from service.config.settings import Settings
from service.model.words import Outcome
from tests.unit.workers.claims import a_claim
from workers.channels.sandbox import Sandboxed, led
from workers.channels.webhook import WebhookChannel

INBOX = "http://127.0.0.1:3080"
CHANNEL = Sandboxed(WebhookChannel(for_its_worker(Settings(), 3080)), INBOX)


@pytest.mark.parametrize(
    ("url", "there", "host"),
    [
        ("https://example.org/hooks?a=1#b", "/hooks?a=1#b", "example.org"),
        ("https://example.org", "", "example.org"),
        ("HTTPS://Example.ORG:0443/x", "/x", "example.org"),
        ("http://example.org:80/", "/", "example.org"),
        ("http://example.org:8080?q", "?q", "example.org:8080"),
        ("https://example.org:80/", "/", "example.org:80"),
        ("http://[2001:db8::1]:8080/x", "/x", "[2001:db8::1]:8080"),
        ("http://169.254.169.254/latest/meta-data", "/latest/meta-data", "169.254.169.254"),
        ("http://example.org/@evil.example", "/@evil.example", "example.org"),
        ("http://example.org//evil.example", "//evil.example", "example.org"),
        ("http://localhost:4000/hook", "/hook", "localhost:4000"),
    ],
)
def test_the_host_becomes_the_inbox_and_all_else_stays(url, there, host):
    assert led(url, INBOX) == (INBOX + there, host)


def test_a_user_stays_and_leads_nowhere_else():
    url, host = led("https://ann:s3cret@example.org/x", INBOX)
    assert (url, host) == ("http://ann:s3cret@127.0.0.1:3080/x", "example.org")


@pytest.mark.parametrize(
    "recipient", ["ftp://example.org", "http://", "http:///x", "x@y", "http://a b/"]
)
def test_what_is_no_url_fails_as_it_would_outside(recipient):
    verdict = CHANNEL.prepare(a_claim(recipient=recipient))
    assert (verdict.outcome, verdict.code) == (Outcome.PERMANENT, "bad_url")


def test_the_request_is_the_recipients_own():
    post = CHANNEL.prepare(a_claim({"n": 1}, recipient="https://example.org/hooks"))
    assert post.url == f"{INBOX}/hooks"
    assert post.body == b'{"n": 1}'
    assert post.headers[0] == "Host: example.org"
    assert any(header.startswith("webhook-id: ") for header in post.headers)


def test_each_recipient_keeps_a_destination_of_its_own():
    claims = [a_claim(recipient=f"https://{name}.example.org/x") for name in "ab"]
    assert [CHANNEL.destination(claim) for claim in claims] == [
        "https://a.example.org", "https://b.example.org"
    ]  # fmt: skip


def test_a_log_line_arrives_too_whatever_its_recipient_is():
    claim = a_claim({"n": 1}, channel="log", recipient="anybody\r\nHost: evil.example")
    post = CHANNEL.prepare(claim)
    assert post.url == f"{INBOX}/log"
    assert not any("evil" in header for header in post.headers)
    assert CHANNEL.destination(claim) == "log"


@pytest.mark.parametrize(
    ("address", "port"),
    [("127.0.0.1", 3081), ("127.0.0.2", 3080), ("93.184.216.34", 3080), ("10.0.0.1", 3080),
     ("169.254.169.254", 3080), ("::1", 3080), ("2606:2800:220:1::1", 3080), ("0.0.0.0", 3080),
     ("::ffff:93.184.216.34", 3080)],
)  # fmt: skip
def test_the_guard_of_its_worker_lets_nothing_be_connected_but_the_inbox(address, port):
    guard = for_its_worker(Settings(webhook_private=True), 3080).guard
    assert guard.permits(f"{INBOX}/x", "127.0.0.1", 3080)
    assert not guard.permits(f"{INBOX}/x", address, port)
    assert not guard.permits("https://example.org/x", address, port)
