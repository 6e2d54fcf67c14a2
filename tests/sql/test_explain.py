"""notify.explain(): for every state that the service can be in, its sentence."""

import hashlib
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from tests.explaining import beat, explain, first, note, silence, state
from tests.ledger import (
    ago,
    cancel,
    change,
    claim,
    claim_each,
    enqueue,
    insert,
    put,
    reap,
    redrive,
    release,
    row,
    settle,
    take_back,
)
from tests.producers import producer
from tests.sql.faults import FAULTS, constraint

URL = "https://hooks.example/orders/s3cret"
WEBHOOK: dict[str, Any] = {"channel": "webhook", "recipient": URL, "payload": "{}"}
MAIL: dict[str, Any] = {
    "channel": "email", "recipient": "ada@Example.org",
    "payload": '{"subject": "s", "text": "t"}',
}  # fmt: skip


@contextmanager
def leading(dsn):
    """Let a dispatcher lead."""
    with psycopg.connect(dsn, autocommit=True, application_name="notify-disp") as leader:
        leader.execute("select notify.lead()")
        yield


@pytest.fixture
def road(db, dsn):
    """Let a worker live and a dispatcher lead."""
    beat(db)
    with leading(dsn):
        yield db


def utc(at):
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


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
    assert "Attempt 1 of 4 failed at " in got.sentence and "the code is 503." in got.sentence
    assert "body" not in got.sentence


def test_one_whose_receiver_says_not_now_says_that_it_costs_no_attempt(road):
    [id] = enqueue(road, 1, **WEBHOOK)
    settle(road, claim(road, [id]), "throttled", code="429")
    got = explain(road, id)
    assert next(iter(got)) == "waiting_for_retry"
    assert "Attempt 1 of 5 did not count" in got["waiting_for_retry"].sentence
    assert got["patience"].until > row(road, id).due_at


def test_one_that_was_given_back_says_so(road):
    [id] = enqueue(road)
    release(road, claim(road, [id]), "10 s")
    got = first(road, id)
    assert (got.code, got.until) == ("given_back", row(road, id).due_at)


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("breaker", "has failed again and again since"),
        ("pace", "has taken less than it is offered since"),
        ("url", "has asked for a pause"),
        ("name", "has a name whose look-up takes long"),
        ("share", "has been slow"),
    ],
)
def test_one_whose_destination_is_kept_back_says_which_until_when_and_why(road, word, says):
    [id] = enqueue(road, 1, **WEBHOOK)
    release(road, claim(road, [id]), "10 s")
    note(road, state("https://hooks.example", word))
    got = first(road, id)
    assert (got.code, got.until) == ("destination_parked", row(road, id).due_at)
    assert "https://hooks.example" in got.sentence and says in got.sentence
    assert f"parked until {utc(got.until)}" in got.sentence
    assert ("nothing answered at its address" in got.sentence) == (word == "breaker")
    assert "orders" not in got.sentence
    note(road, ended=(state("https://hooks.example", word),))
    assert first(road, id).code == "given_back"


def test_a_destination_of_others_is_none_of_its_own(road):
    [id] = enqueue(road, 1, **WEBHOOK)
    note(road, state("https://other.example"), state("https://hooks.example:8443"))
    assert "destination_parked" not in explain(road, id)


def test_a_url_that_is_left_alone_keeps_no_other_back(road):
    [id] = enqueue(road, 1, **WEBHOOK)
    [other] = enqueue(road, 1, **WEBHOOK | {"recipient": "https://hooks.example/other"})
    url_hash = hashlib.sha256(URL.encode()).hexdigest()
    note(road, state("https://hooks.example", "url", in_s=900, url_hash=url_hash))
    got = explain(road, id)["destination_parked"]
    assert got.until > ago(road, "-14 minutes")
    assert "destination_parked" not in explain(road, other)


def test_a_mail_waits_for_its_domain_or_for_the_server_of_all(road):
    [id] = enqueue(road, 1, **MAIL)
    note(road, state("example.org", channel="email"), state("other.example", channel="email"))
    assert "example.org" in explain(road, id)["destination_parked"].sentence
    note(road, state("", channel="email"), ended=(state("example.org", channel="email"),))
    got = explain(road, id)["destination_parked"].sentence
    assert "the mail server, has failed" in got and "ada" not in got


def test_what_a_dead_worker_said_of_destinations_does_not_count(road):
    [id] = enqueue(road, 1, **WEBHOOK)
    beat(road, "w:2")
    note(road, state("https://hooks.example"), worker="w:2")
    assert "destination_parked" in explain(road, id)
    silence(road, "31 s", "w:2")
    assert "destination_parked" not in explain(road, id)


def test_a_test_does_not_wait_for_a_destination(road):
    [id] = enqueue(road, 1, **WEBHOOK)
    change(road, id, is_test=True)
    note(road, state("https://hooks.example"))
    got = explain(road, id)
    assert "destination_parked" not in got
    assert "nothing leaves the worker" in got["test"].sentence


def test_one_that_is_being_sent_says_by_whom_and_until_when(road):
    [id] = enqueue(road)
    claim(road, [id])
    got = first(road, id)
    assert (got.code, got.until) == ("leased", row(road, id).lease_until)
    assert "attempt 1 of 4 is leased to worker w:1 until" in got.sentence


def test_a_worker_without_a_heartbeat_is_of_a_release_before_and_not_dead(road):
    [id] = enqueue(road)
    claim(road, [id], worker="old:1")
    assert first(road, id).code == "leased"


def test_a_worker_that_died_is_named_and_the_reapers_time(road):
    [id] = enqueue(road, max_attempts=1)
    claim(road, [id])
    silence(road, "31 s")
    got = first(road, id)
    assert (got.code, got.until) == ("worker_died", row(road, id).lease_until)
    assert "no heartbeat since" in got.sentence and "was the last attempt" in got.sentence


def test_a_lease_that_has_passed_waits_for_the_reaper(db, dsn):
    [id] = enqueue(db)
    claim(db, [id])
    change(db, id, lease_until=ago(db, "1 s"))
    assert list(explain(db, id)) == ["lease_passed", "no_dispatcher", "enqueued"]
    with leading(dsn):
        assert list(explain(db, id)) == ["lease_passed", "enqueued"]


def test_one_whose_worker_died_and_that_was_taken_back_says_so(road):
    [id] = enqueue(road)
    claim(road, [id])
    take_back(road, id)
    got = first(road, id)
    assert got.code == "waiting_for_retry"
    assert "its worker died, hung or was cut off" in got.sentence


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("410", "gone for good"),
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


def test_one_that_was_redriven_waits_for_its_turn(road):
    ids = enqueue(road, 2)
    settle(road, claim(road, ids), "permanent")
    redrive(road, rate=0.01)
    got = {first(road, id).code for id in ids}
    assert got == {"redriven", "next"}


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


def test_one_that_expired_says_when(road):
    [id] = enqueue(road, expires_at=ago(road, "-1 hour"))
    assert "expires" in explain(road, id)
    change(road, id, expires_at=ago(road, "1 s"))
    assert first(road, id).code == "expires"
    claim(road, [id])
    assert first(road, id).code == "expired"


def test_in_a_copy_everything_is_held(road):
    [id] = enqueue(road)
    [held] = enqueue(road)
    claim(road, [held])
    [later] = enqueue(road, send_at=ago(road, "-1 hour"))
    road.execute("update notify.settings set database_name = 'elsewhere', server_started_at = null")
    for each in (id, held, later):
        got = first(road, each)
        assert (got.code, got.command) == ("held_as_copy", "notify adopt")
    road.execute("select notify.adopt(null)")
    assert first(road, id).code == "next"


def test_in_a_copy_with_another_environment_everything_is_held(road):
    [id] = enqueue(road)
    road.execute(
        "update notify.settings set environment = 'production', database_name = 'elsewhere'"
    )
    assert first(road, id).code == "wrong_environment"
    road.execute("select notify.notice_copy('staging')")
    assert first(road, id).code == "held_as_copy"


def test_what_the_original_sends_says_so(road):
    [id] = enqueue(road)
    road.execute("update notify.settings set database_name = 'elsewhere', server_started_at = null")
    road.execute("select notify.notice_copy(null)")
    road.execute("select notify.discard(null, 10)")
    assert first(road, id).code == "discarded"


def test_workers_with_another_environment_take_nothing(road):
    [id] = enqueue(road)
    road.execute("update notify.settings set environment = 'production'")
    got = first(road, id)
    assert (got.code, got.command) == ("wrong_environment", "notify doctor")
    assert "'production'" in got.sentence


def test_without_a_worker_nothing_is_taken(db, dsn):
    [id] = enqueue(db)
    with leading(dsn):
        assert first(db, id).code == "no_worker"
        assert "No worker was ever heard of" in first(db, id).sentence
        beat(db)
        assert first(db, id).code == "next"
        silence(db, "31 s")
        assert "No worker was heard of since" in first(db, id).sentence
        assert first(db, id).command == "notify worker"


def test_a_lease_of_a_worker_unheard_of_says_that_workers_are_there(db, dsn):
    [id, other] = enqueue(db, 2)
    with leading(dsn):
        claim(db, [other], worker="old:1")
        assert first(db, id).code == "next"


def test_without_a_dispatcher_that_is_said(db):
    [id] = enqueue(db)
    beat(db)
    got = first(db, id)
    assert (got.code, got.command) == ("no_dispatcher", "notify dispatcher")


def test_a_channel_that_no_worker_can_send_on(road):
    [id] = enqueue(road, 1, **MAIL)
    got = first(road, id)
    assert got.code == "channel_not_configured"
    assert "SMTP_URL" in got.sentence
    beat(road, "w:2", channels=["email"])
    assert first(road, id).code == "next"


def test_one_that_a_trigger_of_somebody_holds(road):
    [id] = enqueue(road, reference="odd")
    road.execute(constraint("status <> 'sending'"))
    claim_each(road, [id])
    assert row(road, id).last_error_code == "refused"
    got = first(road, id)
    assert (got.code, got.command) == ("refused", f"notify status {id}")


def test_one_that_a_trigger_holds_without_a_trace_is_said_to_be_overlooked(road):
    [id] = enqueue(road, reference="odd")
    assert "overlooked" not in explain(road, id)
    change(road, id, due_at=ago(road, "2 minutes"))
    road.execute(FAULTS["a trigger raises"])
    claim_each(road, [id])
    assert explain(road, id)["overlooked"].command == "notify doctor"


def test_one_whose_row_somebody_has_locked(road, other_db):
    [id] = enqueue(road)
    with other_db.transaction():
        other_db.execute("select from notify.notifications where id = %s for update", [id])
        got = explain(road, id)["locked"]
        assert f"process {other_db.info.backend_pid} of" in got.sentence
    assert "locked" not in explain(road, id)


def test_who_enqueued_it_and_in_which_transaction(road, dsn):
    with producer(road, dsn, "shop") as shop, shop.transaction():
        id = shop.execute("select notify.send('log', 'r', '{}') as id").fetchone().id
        xid = shop.execute("select pg_current_xact_id()::text as x").fetchone().x
    got = explain(road, id)["enqueued"].sentence
    assert f"by 'shop', in transaction {xid}." in got


def test_what_is_not_there_is_not_found(road):
    got = road.execute("select * from notify.explain(gen_random_uuid())").fetchall()
    assert [r.code for r in got] == ["not_found"]


def test_a_producer_sees_its_own_rows_explained_and_no_others(road, dsn):
    with producer(road, dsn, "shop") as shop, producer(road, dsn, "other") as other:
        id = shop.execute("select notify.send('log', 'r', '{}') as id").fetchone().id
        assert list(explain(shop, id)) == ["next", "enqueued"]
        assert list(explain(other, id)) == ["not_found"]
        assert list(explain(road, id)) == ["next", "enqueued"]
        for table in ("workers", "destination_state"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                shop.execute(f"select from notify.{table}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            shop.execute("select notify.beat('w', 'h', '1', null, '{}', '1 h', 1, 1, 1, '1 s')")


def test_a_time_that_somebody_made_endless_is_said(road):
    id = insert(road).id
    road.execute("alter table notify.notifications drop constraint times_are_within_1970_and_9999")
    change(road, id, due_at="infinity")
    assert "the end of time" in first(road, id).sentence
    change(road, id, due_at="-infinity")
    assert first(road, id).code == "next"


def test_a_lease_that_ends_is_reaped_and_explained_anew(road):
    [id] = enqueue(road, max_attempts=1)
    claim(road, [id])
    change(road, id, lease_until=ago(road, "1 s"))
    reap(road)
    got = first(road, id)
    assert got.code == "failed" and "may be the cause" in got.sentence
