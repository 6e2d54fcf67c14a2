"""What an HTTP receiver's answer, or its silence, means: against a real one."""

import socket
import time
from email.utils import formatdate
from urllib.parse import quote

import pytest

from service.config.settings import Settings
from service.model.words import Outcome
from service.names.guard import LOOPBACK
from tests.integration.workers.listener import Listener
from tests.integration.workers.scripted_smtp import ScriptedSmtp
from tests.integration.workers.secure import Secure
from tests.unit.workers.claims import a_claim
from workers.channels.channel import Post
from workers.channels.webhook import WebhookChannel
from workers.transfers import Transfers

THROTTLED, UNREACHABLE = Outcome.THROTTLED, Outcome.UNREACHABLE
TEMPORARY, PERMANENT, UNKNOWN = Outcome.TEMPORARY, Outcome.PERMANENT, Outcome.UNKNOWN


def judged(url, deadline_s=20.0):
    settings = Settings(webhook_allow=LOOPBACK, send_deadline_s=deadline_s)
    channel, transfers = WebhookChannel(settings), Transfers(settings)
    post = channel.prepare(a_claim({}, recipient=url))
    assert isinstance(post, Post)
    assert transfers.start(post, None) is None
    while not (ended := list(transfers.wait(1.0))):
        pass
    transfers.close()
    return channel.judge(ended[0][1])


def asked(sink, status, retry_after):
    return judged(sink.url + f"/status/{status}/" + quote(f"Retry-After={retry_after}"))


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        ("/status/429", THROTTLED),
        ("/status/500", TEMPORARY),
        ("/status/502", TEMPORARY),
        ("/status/503", TEMPORARY),
        ("/status/504", TEMPORARY),
        ("/status/408", TEMPORARY),
        ("/status/425", TEMPORARY),
        ("/status/404", PERMANENT),
        ("/status/500/Retry-After=7", TEMPORARY),
        ("/status/404/Retry-After=7", PERMANENT),
        ("/silent", UNKNOWN),
        ("/reset", UNKNOWN),
        ("/garbage", UNKNOWN),
    ],
)
def test_an_answer_decides(sink, path, outcome):
    verdict = judged(sink.url + path, 0.5 if path == "/silent" else 20.0)
    assert verdict.outcome is outcome


def test_a_receiver_that_switches_protocols_and_says_no_more_is_told_so():
    receiver = Listener(answer=b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: any\r\n\r\n")
    verdict = judged(f"http://127.0.0.1:{receiver.port}/")
    receiver.close()
    assert verdict.outcome is UNKNOWN
    assert verdict.excerpt.startswith("answered 101 (Switching Protocols), then: ")
    assert verdict.retry_after_s is None


def test_a_redirect_is_not_followed(sink):
    elsewhere = quote(f"Location={sink.url}/status/200", safe="")
    verdict = judged(f"{sink.url}/status/302/{elsewhere}")
    assert (verdict.outcome, verdict.code) == (PERMANENT, "302")
    assert len(sink.requests) == 1


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("retry_after", "low_s", "high_s"),
    [
        ("7", 7, 7),
        ("3600", 3600, 3600),
        ("3601", 3600, 3600),
        ("999999999999", 3600, 3600),
    ],
)
def test_a_time_that_is_named_is_kept_up_to_an_hour(sink, status, retry_after, low_s, high_s):
    verdict = asked(sink, status, retry_after)
    assert verdict.outcome is THROTTLED
    assert low_s <= verdict.retry_after_s <= high_s


@pytest.mark.parametrize(("in_s", "low_s", "high_s"), [(600, 500, 600), (10**9, 3600, 3600)])
def test_a_date_that_is_named_is_kept_up_to_an_hour(sink, in_s, low_s, high_s):
    verdict = asked(sink, 503, formatdate(time.time() + in_s, usegmt=True))
    assert verdict.outcome is THROTTLED
    assert low_s <= verdict.retry_after_s <= high_s


@pytest.mark.parametrize(
    "retry_after",
    ["0", "-5", "soon", "", "\u00fc", formatdate(0, usegmt=True), "Thu, 99 Foo", "9" * 30],
)
def test_a_time_that_is_none_is_as_if_it_were_not_named(sink, retry_after):
    assert asked(sink, 429, retry_after) == judged(sink.url + "/status/429")
    assert asked(sink, 503, retry_after).outcome is TEMPORARY


def test_a_receiver_that_is_not_there_is_not_reached(sink):
    verdict = judged("http://127.0.0.1:9/")
    assert (verdict.outcome, verdict.code) == (UNREACHABLE, "connect_failed")


def test_a_name_that_does_not_resolve_is_not_reached():
    verdict = judged("http://nowhere.invalid/")
    assert (verdict.outcome, verdict.code) in [(UNREACHABLE, "dns"), (UNREACHABLE, "timeout")]


def test_a_receiver_without_tls_is_not_reached():
    other = ScriptedSmtp()
    verdict = judged(f"https://127.0.0.1:{other.port}/")
    other.close()
    assert (verdict.outcome, verdict.code) == (UNREACHABLE, "tls")


@pytest.mark.parametrize(("host", "is_vouched_for"), [("127.0.0.1", False), ("localhost", True)])
def test_a_certificate_of_nobody_we_know_or_of_another_name_gets_nothing(
    tmp_path, monkeypatch, host, is_vouched_for
):
    server = Secure(tmp_path, "http/1.1")  # its certificate is 127.0.0.1's
    if is_vouched_for:
        monkeypatch.setenv("SSL_CERT_FILE", str(server.authority))
    verdict = judged(server.url.replace("127.0.0.1", host))
    server.close()
    assert (verdict.outcome, verdict.code) == (UNREACHABLE, "tls_certificate")
    assert server.requests == 0


def test_a_handshake_that_never_ends_is_not_reached():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        verdict = judged(f"https://127.0.0.1:{silent.getsockname()[1]}/")
    assert (verdict.outcome, verdict.code) == (UNREACHABLE, "timeout")


def test_a_connection_that_is_not_made_in_time_is_not_reached():
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        verdict = judged(f"http://127.0.0.1:{port}/")
        for one in waiting:
            one.close()
    assert (verdict.outcome, verdict.code) == (UNREACHABLE, "timeout")


def test_a_receiver_that_takes_the_connection_and_no_more_may_have_the_request():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        verdict = judged(f"http://127.0.0.1:{silent.getsockname()[1]}/", 0.5)
    assert (verdict.outcome, verdict.code) == (UNKNOWN, "timeout")
