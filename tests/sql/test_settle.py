"""Settling: each attempt ends once, by its number, and leaves one row of attempts."""

from types import SimpleNamespace

import psycopg
import pytest

from tests.ledger import ago, attempts_of, change, claim, counted, enqueue, release, row, settle
from tests.sql.faults import one_odd_among, settle_all, trigger


@pytest.fixture
def db(shared_db):
    return shared_db


def one_sending(db, **columns):
    [id] = enqueue(db, **columns)
    [got] = claim(db, [id])
    return got


@pytest.mark.parametrize(
    ("outcome", "becomes"),
    [
        ("sent", "sent"),
        ("permanent", "failed"),
        ("temporary", "queued"),
        ("throttled", "queued"),
        ("unreachable", "queued"),
        ("deferred", "queued"),
        ("unknown", "queued"),
        ("expired", "expired"),
    ],
)
def test_the_outcome_decides_what_the_notification_becomes(db, outcome, becomes):
    got = one_sending(db)
    change(db, got.id, created_at=ago(db, "1 minute"))
    [settled] = settle(db, [got], outcome)
    kept = row(db, got.id)
    assert settled.status == kept.status == becomes
    assert (kept.lease_until, kept.claimed_by) == (None, None)
    assert (kept.settled_at is None) == (becomes == "queued")
    assert (settled.due_in is None) == (becomes != "queued")
    assert settled.age.total_seconds() >= 60


@pytest.mark.parametrize("outcome", ["temporary", "unknown"])
def test_the_last_attempt_makes_a_dead_letter(db, outcome):
    got = one_sending(db, max_attempts=1)
    [settled] = settle(db, [got], outcome)
    assert settled.status == row(db, got.id).status == "failed"


def test_an_attempt_is_written_down(db):
    got = one_sending(db)
    settle(
        db,
        [got],
        "temporary",
        code="503",
        excerpt="busy",
        started_ago_ms=250,
        took_ms=200,
        worker="host:9",
    )
    [attempt] = attempts_of(db, got.id)
    assert (
        attempt.attempt,
        attempt.outcome,
        attempt.code,
        attempt.excerpt,
        attempt.worker,
        attempt.took_ms,
    ) == (1, "temporary", "503", "busy", "host:9", 200)
    assert 0.2 < (ago(db, "0") - attempt.started_at).total_seconds() < 600


def test_the_last_error_is_kept_and_cleared_when_it_is_sent(db):
    got = one_sending(db)
    settle(db, [got], "temporary", code="503", excerpt="b" * 2000)
    kept = row(db, got.id)
    assert (kept.last_error_code, kept.last_error) == ("503", "b" * 500)
    assert attempts_of(db, got.id)[0].excerpt == "b" * 500
    change(db, got.id, due_at=ago(db, "0"))
    settle(db, claim(db, [got.id]), "sent")
    kept = row(db, got.id)
    assert (kept.last_error_code, kept.last_error) == (None, None)


def test_a_retry_waits_by_the_schedule(db):
    got = one_sending(db)
    [settled] = settle(db, [got], "temporary", schedule=[10])
    assert 9 <= settled.due_in.total_seconds() <= 11
    wait = (row(db, got.id).due_at - ago(db, "0")).total_seconds()
    assert 8 < wait <= 11


def test_claims_that_were_given_back_do_not_lengthen_the_wait(db):
    got = one_sending(db)
    for _ in range(6):
        release(db, [got])
        [got] = claim(db, [got.id])
    assert got.attempt == 7
    [settled] = settle(db, [got], "temporary", schedule=[10, 20])
    assert 9 <= settled.due_in.total_seconds() <= 11
    change(db, got.id, due_at=ago(db, "0"))
    [settled] = settle(db, claim(db, [got.id]), "temporary", schedule=[10, 20])
    assert 18 <= settled.due_in.total_seconds() <= 22


def test_a_longer_retry_after_is_respected_up_to_an_hour(db):
    first, second = one_sending(db), one_sending(db)
    [settled] = settle(db, [first], "throttled", retry_after_ms=60_000)
    assert settled.due_in.total_seconds() == 60
    [settled] = settle(db, [second], "throttled", retry_after_ms=2_000_000_000)
    assert settled.due_in.total_seconds() == 3600


def test_what_would_be_retried_after_it_expires_expires_now(db):
    got = one_sending(db, expires_at=ago(db, "-5 seconds"))
    [settled] = settle(db, [got], "temporary", schedule=[60])
    assert settled.status == "expired"
    assert attempts_of(db, got.id)[0].outcome == "temporary"


def test_a_stale_worker_changes_nothing(db):
    got = one_sending(db)
    settle(db, [got], "temporary")
    change(db, got.id, due_at=ago(db, "0"))
    [again] = claim(db, [got.id], worker="w:2")
    before = row(db, got.id)
    assert settle(db, [got], "sent") == []
    assert row(db, got.id) == before
    assert len(attempts_of(db, got.id)) == 1
    assert [s.status for s in settle(db, [again], "sent")] == ["sent"]


def test_a_second_settle_of_the_same_attempt_changes_nothing(db):
    got = one_sending(db)
    settle(db, [got], "sent")
    before = row(db, got.id)
    assert settle(db, [got], "permanent") == []
    assert row(db, got.id) == before


def test_a_number_that_was_never_claimed_settles_nothing(db):
    got = one_sending(db)
    assert settle(db, [SimpleNamespace(id=got.id, attempt=2)]) == []
    assert row(db, got.id).status == "sending"


def test_a_stale_pair_does_not_stop_the_others_of_its_batch(db):
    stale, good = one_sending(db), one_sending(db)
    settle(db, [stale], "sent")
    assert [s.id for s in settle(db, [stale, good])] == [good.id]


def test_a_pair_that_is_given_twice_is_taken_once(db):
    got = one_sending(db)
    assert [s.status for s in settle(db, [got, got])] == ["sent"]
    assert len(attempts_of(db, got.id)) == 1


def test_an_empty_batch_is_harmless(db):
    assert settle(db, []) == []


def test_a_batch_may_hold_different_outcomes(db):
    ids = enqueue(db, 3)
    got = sorted(claim(db, ids), key=lambda g: g.id)
    settled = db.execute(
        "select id, status from notify.settle(%s::uuid[], '{1,1,1}',"
        " '{sent,permanent,temporary}', '{200,410,503}', '{null,gone,busy}', '{9,9,9}', '{5,5,5}',"
        " '{null,null,100}', 'w:1', '{}', interval '1 hour')",
        [[g.id for g in got]],
    ).fetchall()
    by_id = {s.id: s.status for s in settled}
    assert [by_id[id] for id in ids] == ["sent", "failed", "queued"]
    assert [attempts_of(db, id)[0].excerpt for id in ids] == [None, "gone", "busy"]


def test_a_large_batch_settles_whole(db):
    ids = enqueue(db, 1000)
    got = claim(db, ids, limit=1000)
    assert len(settle(db, got)) == 1000
    assert db.execute("select count(*) as n from notify.attempts").fetchone().n == 1000


NOT_NOW = ("throttled", "unreachable", "deferred")


@pytest.mark.parametrize("outcome", NOT_NOW)
def test_what_the_receiver_says_of_itself_costs_no_attempt_and_is_written_down(db, outcome):
    got = one_sending(db, max_attempts=1)
    for number in range(1, 6):
        [settled] = settle(db, [got], outcome, code="429")
        assert (settled.status, settled.counted) == ("queued", False)
        kept = row(db, got.id)
        assert (kept.attempt, kept.max_attempts) == (number, number + 1)
        change(db, got.id, due_at=ago(db, "0"))
        [got] = claim(db, [got.id])
    written = attempts_of(db, got.id)
    assert [(a.outcome, a.code, a.counted) for a in written] == [(outcome, "429", False)] * 5
    assert [s.status for s in settle(db, [got], "temporary")] == ["failed"]


@pytest.mark.parametrize("outcome", NOT_NOW)
def test_after_the_patience_every_answer_counts_and_the_row_comes_to_its_end(db, outcome):
    got = one_sending(db, max_attempts=2)
    change(db, got.id, first_claimed_at=ago(db, "61 minutes"))
    [settled] = settle(db, [got], outcome, retry_after_ms=1000)
    assert (settled.status, settled.counted) == ("queued", True)
    assert settled.due_in.total_seconds() >= 4
    change(db, got.id, due_at=ago(db, "0"))
    [settled] = settle(db, claim(db, [got.id]), outcome)
    assert (settled.status, settled.counted) == ("failed", True)
    assert [a.counted for a in attempts_of(db, got.id)] == [True, True]


@pytest.mark.parametrize("outcome", NOT_NOW)
def test_without_patience_every_answer_counts(db, outcome):
    [settled] = settle(db, [one_sending(db, max_attempts=1)], outcome, patience="0")
    assert (settled.status, settled.counted) == ("failed", True)


@pytest.mark.parametrize("outcome", ["sent", "permanent", "temporary", "unknown", "expired"])
def test_every_other_answer_counts_at_once(db, outcome):
    [settled] = settle(db, [one_sending(db)], outcome)
    assert settled.counted is True


@pytest.mark.parametrize("outcome", NOT_NOW)
def test_what_expires_before_it_may_be_asked_again_expires(db, outcome):
    got = one_sending(db, expires_at=ago(db, "-20 minutes"))
    [settled] = settle(db, [got], outcome, retry_after_ms=3_600_000)
    assert settled.status == row(db, got.id).status == "expired"


def test_answers_that_are_not_counted_do_not_lengthen_the_schedule(db):
    got = one_sending(db)
    for _ in range(4):
        settle(db, [got], "throttled")
        change(db, got.id, due_at=ago(db, "0"))
        [got] = claim(db, [got.id])
    [settled] = settle(db, [got], "temporary", schedule=[10, 1000])
    assert 9 <= settled.due_in.total_seconds() <= 11


def test_a_row_that_an_older_worker_claimed_has_its_patience_before_it(db):
    got = one_sending(db)
    change(db, got.id, first_claimed_at=None)
    assert [s.counted for s in settle(db, [got], "throttled")] == [False]


def test_each_channel_has_its_schedule_and_another_the_default(db):
    log, web = one_sending(db), one_sending(db, channel="webhook", recipient="https://e.org/")
    waits = {}
    for got in (log, web):
        [settled] = db.execute(
            "select due_in from notify.settle(array[%s::uuid], '{1}', '{temporary}', '{500}',"
            " '{null}', '{9}', '{5}', '{null}', 'w:1',"
            " '{\"webhook\": [1000], \"default\": [50]}', '1 hour')",
            [got.id],
        ).fetchall()
        waits[got.channel] = settled.due_in.total_seconds()
    assert 45 <= waits["log"] <= 55
    assert 900 <= waits["webhook"] <= 1100


def test_what_a_trigger_leaves_out_is_not_told_as_settled(faulty_db):
    db = faulty_db
    ids, odd = one_odd_among(db)
    got = claim(db, ids)
    db.execute(trigger("return null;"))
    with pytest.raises(psycopg.Error, match="left it out"):
        settle(db, got)
    assert {row(db, id).status for id in ids} == {"sending"}
    told = {t.id: t.status for t in settle_all(db, got)}
    assert told == {id: "refused" if id == odd else "sent" for id in ids}
    [sent] = attempts_of(db, odd)
    assert (sent.outcome, row(db, odd).status) == ("sent", "sending")
    assert sum(counted(db).values()) == len(ids) - 1


@pytest.mark.parametrize("infinite", ["infinity", "-infinity"])
@pytest.mark.parametrize(
    "column", ["expires_at", "due_at", "created_at", "send_at", "first_claimed_at"]
)
@pytest.mark.parametrize("outcome", ["sent", "temporary", "throttled"])
def test_no_infinite_time_stops_a_settle(unbound_db, column, infinite, outcome):
    db = unbound_db
    got = claim(db, enqueue(db, 3))
    change(db, got[1].id, **{column: infinite})
    assert len(settle(db, got, outcome)) == 3
