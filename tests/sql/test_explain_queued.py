"""explain_queued(): why it is not being sent."""

from tests.explaining import WEBHOOK, beat, explain, first, silence, utc
from tests.ledger import (
    ago,
    change,
    claim,
    claim_each,
    enqueue,
    insert,
    pause,
    redrive,
    release,
    row,
    settle,
    take_back,
)
from tests.sql.faults import FAULTS, constraint


def test_one_that_is_not_due_says_when_it_is(road):
    [id] = enqueue(road, send_at=ago(road, "-1 hour"))
    got = first(road, id)
    assert (got.code, got.until, got.command) == ("not_due", row(road, id).due_at, None)
    assert utc(got.until) in got.sentence and "its producer asked for" in got.sentence


def test_one_that_is_due_says_how_many_come_before_it(road):
    urgent = enqueue(road, 2, priority=1)
    first_id, second_id = enqueue(road, 2)
    enqueue(road, priority=3)
    assert first(road, urgent[0]).code == "next"
    got = first(road, second_id)
    assert got.code == "queued_behind"
    assert ", behind 3 in lane 2 and more urgent ones." in got.sentence
    claim(road, [*urgent, first_id])
    assert first(road, second_id).code == "next"


def test_the_present_rate_says_how_long_that_takes(road):
    ids = enqueue(road, 4)
    road.execute("update notify.workers set per_s = 0.5")
    assert "at the present rate, 0.5 a second, about 6 s to go." in first(road, ids[3]).sentence
    silence(road, "1 minute")
    beat(road, "w:2")
    assert "rate" not in first(road, ids[3]).sentence


def test_one_that_failed_and_is_tried_again_says_when_and_why(road):
    [id] = enqueue(road, 1, **WEBHOOK)
    settle(road, claim(road, [id]), "temporary", code="503", excerpt="body of the receiver")
    got = first(road, id)
    assert (got.code, got.until) == ("waiting_for_retry", row(road, id).due_at)
    assert "Attempt 1 of 4 failed at " in got.sentence
    assert "the receiver says that it cannot take it now (503)." in got.sentence
    assert "body" not in got.sentence


def test_one_whose_receiver_says_not_now_says_that_it_costs_no_attempt(road):
    [id] = enqueue(road, 1, **WEBHOOK)
    settle(road, claim(road, [id]), "throttled", code="429", retry_after_ms=60_000)
    got = explain(road, id)
    assert next(iter(got)) == "waiting_for_retry"
    assert "Attempt 1 of 5 did not count" in got["waiting_for_retry"].sentence
    assert got["patience"].until > row(road, id).due_at


def test_one_that_was_given_back_says_so(road):
    [id] = enqueue(road)
    release(road, claim(road, [id]), "10 s")
    got = first(road, id)
    assert (got.code, got.until) == ("given_back", row(road, id).due_at)


def test_one_whose_worker_died_and_that_was_taken_back_says_so(road):
    [id] = enqueue(road)
    claim(road, [id])
    take_back(road, id)
    got = first(road, id)
    assert got.code == "waiting_for_retry"
    assert "its worker died, hung or was cut off" in got.sentence


def test_one_that_was_redriven_waits_for_its_turn(road):
    ids = enqueue(road, 2)
    settle(road, claim(road, ids), "permanent")
    redrive(road, rate=0.01)
    got = {first(road, id).code for id in ids}
    assert got == {"redriven", "next"}


def test_one_that_expired_says_when(road):
    [id] = enqueue(road, expires_at=ago(road, "-1 hour"))
    assert "expires" in explain(road, id)
    change(road, id, expires_at=ago(road, "1 s"))
    assert first(road, id).code == "expires"
    claim(road, [id])
    assert first(road, id).code == "expired"


def test_one_that_a_trigger_of_somebody_holds(road):
    [id] = enqueue(road, reference="odd")
    road.execute(constraint("status <> 'sending'"))
    claim_each(road, [id])
    assert row(road, id).last_error_code == "refused"
    got = first(road, id)
    assert (got.code, got.command) == ("refused", f"notify status {id}")


def test_one_that_was_refused_and_is_paused_now_says_so(road):
    [id] = enqueue(road, reference="odd")
    road.execute(constraint("status <> 'sending'"))
    claim_each(road, [id])
    pause(road, "channel", "log")
    change(road, id, due_at=ago(road, "0"))
    assert first(road, id).code == "paused"


def test_one_that_a_trigger_holds_without_a_trace_is_said_to_be_overlooked(road):
    [id] = enqueue(road, reference="odd")
    assert "overlooked" not in explain(road, id)
    change(road, id, due_at=ago(road, "2 minutes"))
    road.execute(FAULTS["a trigger raises"])
    claim_each(road, [id])
    assert explain(road, id)["overlooked"].command == "notify doctor"


def test_a_time_that_somebody_made_endless_is_said(road):
    id = insert(road).id
    road.execute("alter table notify.notifications drop constraint times_are_within_1970_and_9999")
    change(road, id, due_at="infinity")
    assert "the end of time" in first(road, id).sentence
    change(road, id, due_at="-infinity")
    assert first(road, id).code == "next"
