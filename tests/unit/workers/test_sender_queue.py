"""What waited for its turn, its name or a connection, and could not begin any more then."""

import time

import pytest

from service.clock import since_boot
from service.config.settings import Settings
from service.model.words import Outcome
from tests.unit.workers.claims import a_claim
from tests.unit.workers.test_sender_inbox import idle_sender
from workers.channels.webhook import WebhookChannel
from workers.claim import Ended, Unstarted, Verdict
from workers.flight import Flight
from workers.outcome import EXPIRED
from workers.transfers import TOO_LATE

HERE = "https://here.example"


@pytest.fixture
def sender():
    made = idle_sender()
    yield made
    made.close()


def entered(sender, **fields):
    """Give a claim a place at its destination."""
    flight = Flight(a_claim({}, **fields), WebhookChannel(Settings()), HERE, HERE, 0.0)
    sender._destinations.enter(HERE, flight, 0.0)
    return flight


def waited(sender, **fields):
    """Let a claim come out of the queue; gives what became of it."""
    sender._launch([entered(sender, **fields)])
    return sender._results.kept


def test_one_that_expired_meanwhile_is_not_sent(sender):
    [result] = waited(sender, expires_at=time.monotonic() - 1)
    assert isinstance(result, Ended)
    assert result.verdict is EXPIRED
    assert not sender._destinations._known, "its place is free"


def test_one_whose_lease_is_too_short_by_now_goes_back(sender):
    [result] = waited(sender, lease_ends=time.monotonic() + Settings().send_deadline_s - 1)
    assert isinstance(result, Unstarted)
    assert not sender._destinations._known, "its place is free"


def test_one_that_expired_while_it_waited_for_a_connection_is_not_sent(sender):
    flight = entered(sender, expires_at=time.monotonic() - 1)
    assert not sender._transfers._may_begin(flight, 0.1, False)
    sender._land(flight, TOO_LATE)
    [result] = sender._results.kept
    assert isinstance(result, Ended)
    assert result.verdict is EXPIRED
    assert not sender._destinations._known, "its place is free"


@pytest.mark.parametrize("lease_s", [-60, 0.05])
def test_one_whose_lease_ended_while_it_waited_for_a_connection_goes_back(sender, lease_s):
    flight = entered(sender, lease_ends=time.monotonic() + lease_s)
    assert not sender._transfers._may_begin(flight, 0.1, False)
    sender._land(flight, TOO_LATE)
    [result] = sender._results.kept
    assert isinstance(result, Unstarted)
    assert not sender._destinations._known, "its place is free"


def test_one_that_may_end_within_its_lease_begins_though_it_waited(sender):
    flight = entered(sender, lease_ends=time.monotonic() + 3600)
    assert sender._transfers._may_begin(flight, 3000.0, False)


def test_what_is_left_of_a_lease_has_passed_when_the_machine_has_slept(sender, monkeypatch):
    flight = entered(sender)
    assert sender._transfers._may_begin(flight, 0.1, False)
    monkeypatch.setattr("workers.sender.since_boot", lambda: since_boot() + 60.0)
    assert not sender._transfers._may_begin(flight, 0.1, False)
    sender._launch([flight])
    [result] = sender._results.kept
    assert isinstance(result, Unstarted)


def test_a_machine_that_slept_before_the_claim_sends_it(sender, monkeypatch):
    monkeypatch.setattr("workers.sender.since_boot", lambda: time.monotonic() + 3600.0)
    assert sender._transfers._may_begin(entered(sender, slept_s=3600.0), 0.1, False)


@pytest.mark.parametrize("fields", [{"expires_at": 1.0}, {}])
def test_what_has_begun_may_begin_anew_within_its_lease(sender, fields):
    """It began before its expires_at; and that PostgreSQL is away says nothing of its receiver."""
    flight = entered(sender, **fields)
    sender._slots.allow(0)
    assert sender._transfers._may_begin(flight, 0.1, True)


def test_what_has_begun_does_not_begin_anew_once_its_lease_is_over(sender, monkeypatch):
    flight = entered(sender)
    monkeypatch.setattr("workers.sender.since_boot", lambda: since_boot() + 60.0)
    assert not sender._transfers._may_begin(flight, 0.1, True)
    sender._land(flight, TOO_LATE)
    [result] = sender._results.kept
    assert isinstance(result, Unstarted), "no attempt, and no failure of its receiver"
    assert sender._standing._breakers.is_empty


def test_a_probe_that_came_too_late_lets_another_be_the_probe(sender):
    flight = entered(sender)
    away = Verdict(outcome=Outcome.UNREACHABLE, code="connection_refused")
    now = time.monotonic()
    for _ in range(100):
        sender._standing.report(flight, away, now)
    assert sender._standing.park(flight), "its breaker is open"
    now += 3600.0
    probe, other = (Flight(a_claim({}), flight.channel, HERE, HERE, now) for _ in range(2))
    assert sender._standing.park(probe) is None
    assert sender._standing.park(other), "one is enough"
    sender._destinations.enter(HERE, probe, now)
    sender._land(probe, TOO_LATE)
    assert sender._standing.park(other) is None
