"""The guard at the moment of connecting: what it refuses is not connected, by any spelling."""

from contextlib import contextmanager
from types import SimpleNamespace

import pycurl
import pytest

from service.channels.webhook import ADVICE
from service.config.settings import Settings
from service.model.words import Outcome
from service.names.guard import LOOPBACK, places
from tests import ledger
from tests.integration.workers.listener import OK, Listener
from tests.spellings import FORBIDDEN, NAMES, NO_NAMES
from tests.unit.workers.claims import a_claim
from tests.waiting import wait_for
from workers.channels.channel import NOT_ALLOWED, Answer, Post
from workers.channels.webhook import WebhookChannel
from workers.flight import Flight
from workers.names import Names
from workers.transfers import Transfers

ONE, OTHER = "127.0.0.2", "127.0.0.3"  # stand for public addresses, when a test allows them


@contextmanager
def transferring(names=None, **settings):
    transfers = Transfers(Settings(send_deadline_s=5.0, **settings), names)
    try:
        yield transfers
    finally:
        transfers.close()


@contextmanager
def listening(*args, **kwargs):
    listener = Listener(*args, **kwargs)
    try:
        yield listener
    finally:
        listener.close()


def answer_from(transfers, url):
    """Send, past the channel's own check: only the guard on the connection is left."""
    post = Post(url=url, headers=["Expect:"], body=b"{}")
    if answer := transfers.start(post, 0, name_wait_s=5.0):
        return answer
    found = []
    wait_for(lambda: found.extend(transfers.wait(0.1)) or found)
    return found[0][1]


def verdict_on(answer):
    return WebhookChannel(Settings()).judge(answer)


@pytest.fixture(scope="module")
def everywhere():
    """Listen on every address of this machine."""
    with listening("::") as listener:
        yield listener


@pytest.fixture(scope="module")
def guarded():
    with transferring() as transfers:
        yield transfers


@pytest.mark.parametrize("url", FORBIDDEN + NAMES + NO_NAMES)
def test_not_one_connection_arrives_whatever_the_spelling(everywhere, guarded, url):
    before = everywhere.connections
    answer = answer_from(guarded, url.format(port=everywhere.port))
    assert answer.error in (NOT_ALLOWED, pycurl.E_COULDNT_RESOLVE_HOST, pycurl.E_URL_MALFORMAT)
    assert everywhere.connections == before


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "0x7f000001", "017700000001", "localhost", "a.localhost",
             "[::1]", "[::ffff:127.0.0.1]", "user@127.0.0.1."],
)  # fmt: skip
def test_the_listener_would_hear_them_without_the_guard(everywhere, host):
    before = everywhere.connections
    with transferring(webhook_allow=LOOPBACK) as transfers:
        assert answer_from(transfers, f"http://{host}:{everywhere.port}/").status == 200
    assert everywhere.connections == before + 1


def test_the_sender_learns_nothing_of_what_listens_there(guarded):
    with listening() as listener:
        open_port = verdict_on(answer_from(guarded, f"http://127.0.0.1:{listener.port}/"))
    closed_port = verdict_on(answer_from(guarded, f"http://127.0.0.1:{listener.port}/"))
    elsewhere = verdict_on(answer_from(guarded, "https://169.254.169.254/latest/"))
    assert open_port == closed_port == elsewhere
    assert open_port.outcome is Outcome.PERMANENT
    assert (open_port.code, open_port.excerpt) == ("address_not_allowed", ADVICE)


def test_a_name_that_turns_to_loopback_after_its_first_answer_reaches_nobody(resolver):
    names = Names()
    resolver.answers["re.test"] = [ONE]
    with (
        listening(ONE) as public,
        listening("127.0.0.1") as inside,
        transferring(names, webhook_allow=places(ONE)) as transfers,
    ):
        assert answer_from(transfers, f"http://re.test:{public.port}/").status == 200
        resolver.answers["re.test"] = ["127.0.0.1"]
        names._known.clear()  # as if the minute were over
        for port in (inside.port, public.port):
            assert answer_from(transfers, f"http://re.test:{port}/").error == NOT_ALLOWED
    assert resolver.asked == {"re.test": 2}
    assert (public.connections, inside.connections) == (1, 0)


@pytest.mark.parametrize("answers", [["127.0.0.1", ONE], [ONE, "127.0.0.1"], ["::1", ONE]])
def test_of_several_addresses_the_allowed_are_used(resolver, answers):
    resolver.answers["both.test"] = answers
    with listening(ONE) as public, transferring(webhook_allow=places(ONE)) as transfers:
        assert answer_from(transfers, f"http://both.test:{public.port}/").status == 200


def test_when_the_allowed_address_fails_it_is_unreachable_and_not_refused(resolver):
    resolver.answers["both.test"] = ["127.0.0.1", OTHER]
    with listening("127.0.0.1") as inside, transferring(webhook_allow=places(OTHER)) as transfers:
        verdict = verdict_on(answer_from(transfers, f"http://both.test:{inside.port}/"))
    assert (verdict.outcome, verdict.code) == (Outcome.UNREACHABLE, "connect_failed")
    assert inside.connections == 0


def test_a_denied_name_gets_no_connection_that_another_name_has_opened(resolver):
    keep = OK.replace(b"Connection: close\r\n", b"")
    settings = {"webhook_allow": places(ONE), "webhook_deny": places("b.test")}
    resolver.answers |= {"a.test": [ONE], "b.test": [ONE]}
    with listening(ONE, keep) as public, transferring(**settings) as transfers:
        assert answer_from(transfers, f"http://a.test:{public.port}/").status == 200
        assert answer_from(transfers, f"http://b.test:{public.port}/").error == NOT_ALLOWED


def test_a_named_host_is_reached_at_whatever_address_it_has(resolver):
    resolver.answers |= {"in.corp.test": ["127.0.0.1"], "corp.test": ["127.0.0.1"]}
    with listening() as inside, transferring(webhook_allow=places(".corp.test")) as transfers:
        assert answer_from(transfers, f"http://in.corp.test:{inside.port}/").status == 200
        assert answer_from(transfers, f"http://corp.test:{inside.port}/").error == NOT_ALLOWED


def test_a_port_that_is_not_listed_is_not_connected():
    settings = {"webhook_allow": LOOPBACK, "webhook_ports": (443,)}
    with listening() as inside, transferring(**settings) as transfers:
        assert answer_from(transfers, f"http://127.0.0.1:{inside.port}/").error == NOT_ALLOWED
    assert inside.connections == 0


def test_an_error_in_the_guard_connects_nothing(monkeypatch, capfd):
    def broken(*_):
        raise RuntimeError("broken")

    monkeypatch.setattr("service.names.guard.reached", broken)
    with listening() as inside, transferring(webhook_allow=LOOPBACK) as transfers:
        answer = answer_from(transfers, f"http://127.0.0.1:{inside.port}/")
    assert answer.error == pycurl.E_COULDNT_CONNECT
    assert inside.connections == 0
    assert "broken" in capfd.readouterr().err


def test_a_refused_row_fails_for_good_and_teaches_the_breaker_nothing(
    db, start, sink, resolver, value
):
    port = int(sink.url.rpartition(":")[2])
    resolver.answers["x.test"] = ["127.0.0.1"]
    ids = [
        ledger.enqueue(
            db, channel="webhook", recipient=f"http://{host}:{port}/status/200", payload="{}"
        )[0]
        for host in ["127.0.0.1", "x.test", "0x7f.1", "localhost"] * 8
    ]
    start(webhook_allow=places(""), num_threads=1)
    wait_for(lambda: {ledger.status(db, id) for id in ids} == {"failed"})
    ends = db.execute("select outcome, code, excerpt from notify.attempts").fetchall()
    assert set(ends) == {("permanent", "address_not_allowed", ADVICE)}
    assert len(ends) == len(ids)
    assert not sink.requests
    assert value("worker_breakers_opened_total") == 0


def test_a_refusal_closes_no_breaker_and_lets_another_send_be_the_probe(build, monkeypatch):
    sender = build(num_threads=1)._senders[0]
    learned = []
    monkeypatch.setattr(sender, "_standing", SimpleNamespace(
        not_sent=lambda flight: learned.append("nothing"),
        report=lambda flight, verdict, now: learned.append(verdict),
    ))  # fmt: skip
    flight = Flight(a_claim(), WebhookChannel(Settings()), "http://x.test", "http://x.test", 0.0)
    assert not sender._conclude(flight, Answer(error=NOT_ALLOWED, error_text=ADVICE), 1.0)
    assert learned == ["nothing"]
    [ended] = sender._results.kept
    assert (ended.verdict.outcome, ended.verdict.code) == (
        Outcome.PERMANENT,
        "address_not_allowed",
    )


def test_the_environment_routes_nothing(monkeypatch):
    with listening() as inside, listening() as stray:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{stray.port}")
        with transferring(webhook_allow=LOOPBACK) as transfers:
            assert answer_from(transfers, f"http://127.0.0.1:{inside.port}/").status == 200
    assert stray.connections == 0
