import pycurl
import pytest
from standardwebhooks import Webhook

from service.config.settings import Settings
from service.model.words import Outcome
from tests.unit.workers.claims import ID, a_claim
from workers.channels.channel import Answer, Post
from workers.channels.webhook import ERRORS, SSL_CLIENTCERT, WebhookChannel

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
channel = WebhookChannel(Settings())


def judged(**answer):
    return channel.judge(Answer(**answer))


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "sent"),
        (204, "sent"),
        (299, "sent"),
        (301, "permanent"),
        (304, "permanent"),
        (400, "permanent"),
        (404, "permanent"),
        (410, "permanent"),
        (499, "permanent"),
        (408, "temporary"),
        (425, "temporary"),
        (429, "throttled"),
        (500, "temporary"),
        (503, "temporary"),
        (599, "temporary"),
        (600, "unknown"),
        (999, "unknown"),
    ],
)
def test_a_status_decides_the_outcome(status, outcome):
    verdict = judged(status=status)
    assert (verdict.outcome, verdict.code) == (outcome, str(status))


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_taken_from_those_who_may_throttle(status):
    verdict = judged(status=status, retry_after_s=7)
    assert (verdict.outcome, verdict.retry_after_s) == (Outcome.THROTTLED, 7)


@pytest.mark.parametrize("status", [200, 404, 500])
def test_retry_after_of_others_is_ignored(status):
    verdict = judged(status=status, retry_after_s=7)
    assert verdict.outcome is not Outcome.THROTTLED
    assert verdict.retry_after_s is None


@pytest.mark.parametrize("error", [pycurl.E_OPERATION_TIMEDOUT, pycurl.E_GOT_NOTHING])
def test_an_answer_that_only_switches_protocols_is_named(error):
    verdict = judged(status=101, error=error, error_text="too late", handed_over=True)
    assert verdict.outcome is Outcome.UNKNOWN
    assert verdict.excerpt == "answered 101 (Switching Protocols), then: too late"
    assert judged(status=100, error=error, error_text="too late").excerpt == "too late"


def test_a_status_counts_though_the_connection_broke_after_it():
    assert judged(status=200, error=pycurl.E_OPERATION_TIMEDOUT).outcome is Outcome.SENT


@pytest.mark.parametrize(
    ("asked_s", "waits_s"),
    [(1e30, 3600.0), (86400, 3600.0), (0, None), (-5, None), (None, None)],
)
def test_any_wait_that_is_asked_for_is_bounded(asked_s, waits_s):
    verdict = judged(status=429, retry_after_s=asked_s)
    assert (verdict.outcome, verdict.retry_after_s) == (Outcome.THROTTLED, waits_s)


@pytest.mark.parametrize("retry_after_s", [None, 0, -5])
def test_503_is_a_failure_unless_it_names_a_time(retry_after_s):
    assert judged(status=503, retry_after_s=retry_after_s).outcome is Outcome.TEMPORARY


@pytest.mark.parametrize("error", [e for e, (o, _) in ERRORS.items() if o is Outcome.UNREACHABLE])
def test_nobody_took_it_before_the_request_was_out_and_nobody_knows_after(error):
    assert judged(error=error).outcome is Outcome.UNREACHABLE
    assert judged(error=error, handed_over=True).outcome is Outcome.UNKNOWN


def test_a_client_without_a_certificate_is_not_let_in_though_its_request_was_out():
    verdict = judged(error=SSL_CLIENTCERT, handed_over=True)
    assert (verdict.outcome, verdict.code) == (Outcome.UNREACHABLE, "tls_client_certificate")


def test_an_error_that_nobody_listed_has_its_number_as_code():
    verdict = judged(error=97, error_text="odd")
    assert (verdict.outcome, verdict.code, verdict.excerpt) == ("temporary", "curl_97", "odd")


def test_a_url_that_libcurl_refuses_is_permanent():
    assert judged(error=pycurl.E_URL_MALFORMAT).outcome is Outcome.PERMANENT


def test_the_payload_is_posted_as_it_stands():
    post = channel.prepare(a_claim({"a": "ü"}))
    assert isinstance(post, Post)
    assert post.body.decode() == a_claim({"a": "ü"}).payload
    assert "Content-Type: application/json" in post.headers
    assert f"webhook-id: {ID}" in post.headers


def test_without_a_secret_nothing_is_signed():
    post = channel.prepare(a_claim({}))
    assert not [header for header in post.headers if "signature" in header]


def test_what_is_posted_verifies_with_the_reference_implementation():
    post = WebhookChannel(Settings(webhook_secret=(SECRET,))).prepare(a_claim({"a": 1}))
    headers = {name: text for name, _, text in (line.partition(": ") for line in post.headers)}
    assert Webhook(SECRET).verify(post.body, headers) == {"a": 1}


@pytest.mark.parametrize(
    ("url", "destination"),
    [
        ("http://u:p@Example.org:81/x?a=http://y/", "http://example.org:81"),
        ("https://example.org/hook", "https://example.org"),
        ("https://example.org?x", "https://example.org"),
        ("http://[::1]:80/", "http://[::1]"),
    ],
)
def test_the_destination_is_scheme_host_and_port(url, destination):
    assert channel.destination(a_claim(recipient=url)) == destination


@pytest.mark.parametrize(
    "url",
    [
        "http://exa mple.org/",
        "ftp://example.org/",
        "http://a\\@b/",
        "http://:80/",
        "http://example.org:99999/",
        "http://u%00:p@example.org/",
        "http://example..org/",
        "http://./",
        "http://" + "x" * 64 + ".example.org/",
    ],
)
def test_a_url_that_is_none_is_permanent(url):
    verdict = channel.prepare(a_claim(recipient=url))
    assert (verdict.outcome, verdict.code) == (Outcome.PERMANENT, "bad_url")
