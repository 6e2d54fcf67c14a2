"""explain_ended(): how it ended, and whether more can be done."""

import pytest

from tests.explaining import URL, WEBHOOK, explain, first, utc
from tests.ledger import ago, cancel, claim, enqueue, put, row, settle


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("404", "knows no such path"),
        ("connect_failed", "nothing answered"),
        ("x\x1b[1m", "the code is x?[1m"),
        (None, "nobody wrote down why"),
    ],
)
def test_one_that_failed_says_why_and_what_helps(road, code, says):
    [id] = enqueue(road, 1, **WEBHOOK)
    settle(road, claim(road, [id]), "permanent", code=code, excerpt=URL)
    got = first(road, id)
    assert (got.code, got.command) == ("failed", f"notify redrive {id}")
    assert says in got.sentence and "after 1 attempt:" in got.sentence
    assert "s3cret" not in got.sentence


def test_nobody_is_told_to_redrive_to_who_is_gone_for_good(road):
    [id] = enqueue(road, 1, **WEBHOOK)
    settle(road, claim(road, [id]), "permanent", code="410")
    got = first(road, id)
    assert got.command is None
    assert "gone for good" in got.sentence and "redrive" not in got.sentence


def test_one_whose_payload_is_gone_cannot_be_redriven(road):
    id = put(road, "failed", emptied_at=ago(road, "1 day"))
    got = explain(road, id)
    assert got["failed"].command is None
    assert "cannot be redriven, send it anew." in got["payload_emptied"].sentence


def test_one_that_failed_and_has_expired_is_not_redriven(road):
    id = put(road, "failed", expires_at=ago(road, "1 minute"))
    got = explain(road, id)
    assert got["failed"].command is None and "a redrive leaves it" in got["expires"].sentence


def test_one_that_was_sent_says_when(road):
    [id] = enqueue(road)
    settle(road, claim(road, [id]))
    got = first(road, id)
    assert got.code == "sent"
    assert got.sentence == f"It was sent at {utc(row(road, id).settled_at)}, by attempt 1."


def test_one_that_was_cancelled_says_when(road):
    [id] = enqueue(road)
    cancel(road, [id])
    assert (first(road, id).code, first(road, id).command) == ("cancelled", None)


def test_what_the_original_sends_says_so(road):
    [id] = enqueue(road)
    road.execute("update notify.settings set database_name = 'elsewhere', server_started_at = null")
    road.execute("select notify.notice_copy(null)")
    road.execute("select notify.discard(null, 10)")
    assert first(road, id).code == "discarded"
