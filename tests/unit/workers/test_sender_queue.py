"""What waited in its destination's queue, and could not begin any more when its turn came."""

import time

import pytest

from service.config.settings import Settings
from tests.unit.workers.claims import a_claim
from tests.unit.workers.test_sender_inbox import idle_sender
from workers.channels.webhook import WebhookChannel
from workers.claim import Ended, Unstarted
from workers.flight import Flight
from workers.outcome import EXPIRED

HERE = "https://here.example"


@pytest.fixture
def sender():
    made = idle_sender()
    yield made
    made.close()


def waited(sender, **fields):
    """Let a claim come out of the queue; gives what became of it."""
    flight = Flight(a_claim({}, **fields), WebhookChannel(Settings()), HERE, HERE, 0.0)
    sender._destinations.enter(HERE, flight, 0.0)
    sender._launch([flight])
    return sender._results


def test_one_that_expired_meanwhile_is_not_sent(sender):
    [result] = waited(sender, expires_at=time.monotonic() - 1)
    assert isinstance(result, Ended)
    assert result.verdict is EXPIRED
    assert not sender._destinations._known, "its place is free"


def test_one_whose_lease_is_too_short_by_now_goes_back(sender):
    [result] = waited(sender, lease_ends=time.monotonic() + Settings().send_deadline_s - 1)
    assert isinstance(result, Unstarted)
    assert not sender._destinations._known, "its place is free"
