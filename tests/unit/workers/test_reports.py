"""The log rows of what was settled."""

import pytest

from service.model.words import Outcome, Status
from tests.unit.test_traceparent import GOOD, TRACE
from tests.unit.workers.claims import ID, a_claim
from workers.claim import Ended, Verdict
from workers.reports import sent_row
from workers.store import Settled

SENT = Verdict(outcome=Outcome.SENT, code="200")


@pytest.mark.parametrize(
    ("traceparent", "trace"), [(None, []), (GOOD, [("trace_id", TRACE)])], ids=["none", "a trace"]
)
def test_the_row_of_one_that_sent_names_it_its_trace_if_any_and_what_came_of_it(traceparent, trace):
    claim = a_claim(attempt=3, traceparent=traceparent)
    ended = Ended(claim=claim, verdict=SENT, started_at=0.0, took_ms=17)
    settled = Settled(status=Status.SENT, due_in_s=None, age_s=0.25, counted=True)
    for _ in range(2):  # a row is nobody else's
        assert list(sent_row(ended, settled).items()) == [
            ("notification_id", ID),
            ("attempt", 3),
            ("channel", "webhook"),
            *trace,
            ("code", "200"),
            ("took_ms", 17),
            ("age_s", 0.25),
        ]
