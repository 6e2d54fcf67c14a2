"""Sending again: what has ended is enqueued once more, as something new that names its origin."""

from uuid import uuid4

import psycopg
import pytest

from tests.ledger import attempts_of, claim, enqueue, put, row, settle

INSERTING = """
create function public.fault() returns trigger language plpgsql as $$ begin {} end $$;
create trigger aa_fault before insert on notify.notifications
for each row execute function public.fault();
"""
SAME = ("channel", "recipient", "payload", "priority", "reference", "producer", "is_test",
        "traceparent")  # fmt: skip
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def db(shared_db):
    return shared_db


def again(db, id):
    return db.execute("select * from notify.send_again(%s)", [id]).fetchall()


def count(db):
    return db.execute("select count(*) from notify.notifications").fetchone()[0]


def ended(db, status="sent", **columns):
    [id] = enqueue(db, **columns)
    settle(db, claim(db, [id]), "sent" if status == "sent" else "permanent", code="200")
    return id


@pytest.mark.parametrize("status", ["sent", "failed", "expired", "cancelled"])
def test_what_has_ended_is_sent_again_as_something_new(db, status):
    origin = put(db, status, reference="order-7", priority=1, payload='{"n": 12345678901234567890}')
    before = row(db, origin)
    [result] = again(db, origin)
    assert result.state == "sent_again"
    copy = row(db, result.id)
    assert result.id != origin
    assert {name: getattr(copy, name) for name in SAME} == {n: getattr(before, n) for n in SAME}
    assert (copy.repeats, copy.status, copy.attempt) == (origin, "queued", 0)
    assert (copy.idempotency_key, copy.max_attempts, copy.expires_at, copy.send_at) == (None,) * 4
    assert copy.created_at == result.created_at == copy.due_at > before.created_at
    assert row(db, origin) == before
    assert attempts_of(db, result.id) == []


def test_whose_it_is_and_its_trace_are_the_origins(db):
    [result] = again(db, ended(db, producer="shop", traceparent=TRACE))
    copy = row(db, result.id)
    assert (copy.producer, copy.traceparent) == ("shop", TRACE)


def test_a_test_stays_a_test(db):
    [result] = again(db, ended(db, is_test=True))
    assert row(db, result.id).is_test


def test_a_copy_may_be_sent_again_and_names_the_one_it_was_made_of(db):
    first = ended(db)
    [second] = again(db, first)
    settle(db, claim(db, [second.id]))
    [third] = again(db, second.id)
    assert [row(db, r.id).repeats for r in (second, third)] == [first, second.id]


def test_twice_is_two_and_no_idempotency_key_is_in_the_way(db):
    origin = ended(db, idempotency_key=f"k-{uuid4()}")
    results = [again(db, origin)[0] for _ in range(2)]
    assert len({result.id for result in results}) == 2


@pytest.mark.parametrize("status", ["queued", "sending"])
def test_what_has_not_ended_is_not_sent_twice(db, status):
    origin = put(db, status)
    before = count(db)
    assert [tuple(r) for r in again(db, origin)] == [(None, None, status)]
    assert count(db) == before


def test_what_has_no_payload_any_more_is_not_sent(db):
    origin = ended(db)
    db.execute("update notify.notifications set emptied_at = now() where id = %s", [origin])
    before = count(db)
    assert [tuple(r) for r in again(db, origin)] == [(None, None, "emptied")]
    assert count(db) == before


def test_what_is_not_there_has_no_row(db):
    assert again(db, uuid4()) == again(db, None) == []


def test_the_rules_of_today_hold_for_the_copy(db):
    origin = ended(db)
    db.execute("update notify.notifications set channel = 'pigeon' where id = %s", [origin])
    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        again(db, origin)
    assert refused.value.diag.constraint_name == "channel_is_known"


def test_a_trigger_that_drops_the_copy_is_said(faulty_db):
    origin = ended(faulty_db)
    faulty_db.execute(INSERTING.format("return null;"))
    assert [tuple(r) for r in again(faulty_db, origin)] == [(None, None, "dropped")]


def test_a_trigger_that_raises_is_heard(faulty_db):
    origin = ended(faulty_db)
    faulty_db.execute(INSERTING.format("raise exception 'not today';"))
    with pytest.raises(psycopg.errors.RaiseException, match="not today"):
        again(faulty_db, origin)


def test_one_that_is_rolled_back_was_none(db):
    origin = ended(db)
    before = count(db)
    with db.transaction(force_rollback=True):
        again(db, origin)
    assert count(db) == before


def test_who_may_only_produce_may_not(db):
    assert not db.execute(
        "select has_function_privilege('public', 'notify.send_again(uuid)', 'execute')"
    ).fetchone()[0]
    rights = db.execute("select attribute from notify.producer_rights()").fetchall()
    assert "repeats" not in {right.attribute for right in rights}
