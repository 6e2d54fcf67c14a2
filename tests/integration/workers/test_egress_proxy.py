"""Webhooks through WEBHOOK_PROXY_URL: all of them, and a fault of the proxy is nobody else's."""

import ssl

import pytest
import trustme

from service.config.settings import Settings
from service.model.words import Outcome
from tests.integration.workers.listener import OK, Listener
from tests.integration.workers.test_address_guard import answer_from, listening, transferring
from tests.unit.workers.claims import a_claim
from workers.channels.channel import NO_WAY_OUT
from workers.channels.webhook import WebhookChannel

CONNECTED = b"HTTP/1.1 200 Connection established\r\n\r\n"
KEPT = OK.replace(b"Connection: close\r\n", b"")


def refused(status):
    return f"HTTP/1.1 {status} No\r\nRetry-After: 9\r\nContent-Length: 6\r\n\r\nsecret".encode(
        "ascii"
    )


def through(port, host="127.0.0.1", **settings):
    return transferring(webhook_proxy_url=f"http://user:pass@{host}:{port}", **settings)


def test_a_webhook_goes_through_a_tunnel_and_its_name_is_the_proxys_to_look_up(resolver):
    with listening(tunnel=CONNECTED) as proxy, through(proxy.port) as transfers:
        answer = answer_from(transfers, "http://hooks.nowhere.test/x")
    assert (answer.status, answer.body) == (200, b"ok")
    assert proxy.heads == [b"CONNECT hooks.nowhere.test:80 HTTP/1.1", b"POST /x HTTP/1.1"]
    assert not resolver.asked


def test_the_proxys_own_name_is_looked_up_by_us(resolver):
    resolver.answers["proxy.test"] = ["127.0.0.1"]
    with listening(tunnel=CONNECTED) as proxy, through(proxy.port, "proxy.test") as transfers:
        assert answer_from(transfers, "http://8.8.8.8:8080/").status == 200
    assert proxy.heads[0] == b"CONNECT 8.8.8.8:8080 HTTP/1.1"
    assert resolver.asked == {"proxy.test": 1}


def test_a_password_beyond_ascii_is_the_proxys_to_judge():
    with listening(tunnel=CONNECTED) as proxy:
        url = f"http://user:pä@127.0.0.1:{proxy.port}"
        with transferring(webhook_proxy_url=url) as transfers:
            assert answer_from(transfers, "http://hooks.nowhere.test/x").status == 200


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "answer", [refused(407), refused(403), refused(502), b"", b"garbage\r\n\r\n"]
)
def test_what_the_proxy_answers_is_no_answer_of_the_receiver(answer, scheme):
    with listening(answer=answer) as proxy, through(proxy.port) as transfers:
        got = answer_from(transfers, f"{scheme}://hooks.nowhere.test/")
    verdict = WebhookChannel(Settings()).judge(got)
    assert (got.error, got.short_of) == (NO_WAY_OUT, None)
    assert (verdict.outcome, verdict.code) == (Outcome.UNREACHABLE, "proxy_failed")
    assert verdict.excerpt == "the proxy did not connect us to the receiver"


@pytest.mark.parametrize("host", ["127.0.0.1", "proxy.gone.test"])
def test_a_proxy_that_is_away_costs_no_attempt(resolver, host):
    listener = Listener()
    listener.close()
    with through(listener.port, host) as transfers:
        verdict = WebhookChannel(Settings()).judge(answer_from(transfers, "http://8.8.8.8/"))
    assert (verdict.outcome, verdict.code) == (Outcome.UNREACHABLE, "proxy_failed")
    assert host not in (verdict.excerpt or "")


def test_a_receivers_own_error_through_the_tunnel_is_its_own():
    with (
        listening(tunnel=CONNECTED, answer=refused(403)) as proxy,
        through(proxy.port) as transfers,
    ):
        answer = answer_from(transfers, "http://hooks.nowhere.test/")
    verdict = WebhookChannel(Settings()).judge(answer)
    assert (verdict.outcome, verdict.code, verdict.excerpt) == (Outcome.PERMANENT, "403", "secret")


def test_no_receiver_goes_past_the_proxy_by_the_environment(monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "*")
    with listening(tunnel=CONNECTED) as proxy, through(proxy.port) as transfers:
        assert answer_from(transfers, "http://8.8.8.8/").status == 200
    assert proxy.connections == 1


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "http://0x7f.1/", "https://localhost/", "http://169.254.169.254/"]
)
def test_what_the_url_says_is_judged_all_the_same(url):
    channel = WebhookChannel(Settings(webhook_proxy_url="http://proxy.example:3128"))
    verdict = channel.prepare(a_claim({"n": 1}, recipient=url))
    assert (verdict.outcome, verdict.code) == (Outcome.PERMANENT, "address_not_allowed")


def test_an_https_proxy_shows_a_certificate_that_is_trusted(tmp_path, monkeypatch):
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with listening(tunnel=CONNECTED, context=context) as proxy:
        url = f"https://127.0.0.1:{proxy.port}"
        with transferring(webhook_proxy_url=url) as transfers:
            assert answer_from(transfers, "http://8.8.8.8/").error == NO_WAY_OUT
        authority.cert_pem.write_to_path(tmp_path / "authority.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        with transferring(webhook_proxy_url=url) as transfers:
            assert answer_from(transfers, "http://8.8.8.8/").status == 200


def test_the_proxy_itself_is_exempt_from_the_guard():
    with listening(tunnel=CONNECTED) as proxy, through(proxy.port) as transfers:  # on loopback
        assert answer_from(transfers, "http://8.8.8.8/").status == 200
