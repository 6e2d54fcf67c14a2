"""When an attempt's span begins and ends, and what it says; whoever makes it."""

from types import SimpleNamespace
from typing import Any

import pytest

from service.model.words import Outcome
from tests.unit.test_traceparent import GOOD, TRACE
from tests.unit.workers.claims import ID, a_claim
from workers.attempts import Attempts
from workers.claim import Ended, Unstarted, Verdict

OWN = f"00-{TRACE}-{'a' * 16}-01"


class Recorder:
    """Stands for a Tracer, and notes what it is asked for."""

    def __init__(self, traceparent=OWN):
        self.traceparent = traceparent
        self.asked, self.ended = [], []

    def attempt(self, *given):
        self.asked.append(given)
        if self.traceparent is None:
            return None
        return SimpleNamespace(
            traceparent=self.traceparent, end=lambda *said: self.ended.append(said)
        )


def ended(claim, outcome=Outcome.SENT, code="200"):
    return Ended(
        claim=claim, verdict=Verdict(outcome=outcome, code=code), started_at=0.0, took_ms=1
    )


def test_what_is_sent_names_the_attempts_own_span():
    tracer: Any = Recorder()
    claim = a_claim(traceparent=GOOD, attempt=3)
    sent = Attempts(tracer).begin(claim)
    assert tracer.asked == [(ID, 3, "webhook", GOOD)]
    assert (sent.traceparent, sent.key) == (OWN, claim.key)


@pytest.mark.parametrize(
    ("outcome", "code", "said"),
    [
        (Outcome.SENT, "200", ({"notification.outcome": "sent", "notification.code": "200"}, None)),
        (Outcome.SENT, None, ({"notification.outcome": "sent"}, None)),
        (
            Outcome.UNREACHABLE,
            "dns",
            ({"notification.outcome": "unreachable", "notification.code": "dns"}, "dns"),
        ),
        (Outcome.EXPIRED, None, ({"notification.outcome": "expired"}, "expired")),
    ],
)
def test_it_ends_with_the_verdict(outcome, code, said):
    tracer: Any = Recorder()
    attempts = Attempts(tracer)
    claim = a_claim()
    attempts.begin(claim)
    attempts.end([ended(claim, outcome, code)])
    assert (tracer.ended, len(tracer.asked)) == ([said], 1)


def test_what_had_no_transfer_begins_and_ends_at_once():
    tracer: Any = Recorder()
    Attempts(tracer).end([ended(a_claim(channel="log", traceparent=GOOD))])
    assert tracer.asked == [(ID, 1, "log", GOOD)]
    assert len(tracer.ended) == 1


def test_what_goes_back_unstarted_is_forgotten():
    tracer: Any = Recorder()
    attempts = Attempts(tracer)
    claim = attempts.begin(a_claim())
    attempts.end([Unstarted(claim=claim)])
    assert tracer.ended == []
    attempts.end([ended(claim)])
    assert len(tracer.asked) == 2  # the next attempt has another span


def test_without_a_span_the_claim_is_sent_as_it_is():
    silent: Any = Recorder(traceparent=None)
    attempts = Attempts(silent)
    claim = a_claim(traceparent=GOOD)
    assert attempts.begin(claim) is claim
    attempts.end([ended(claim)])
