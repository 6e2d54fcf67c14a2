"""Setting aside: what a pause covers waits in the queue, and loses nothing by it."""

from typing import Any

import psycopg
import pytest

from tests.ledger import (
    ago,
    change,
    claim,
    due,
    enqueue,
    insert,
    pause,
    paused,
    put,
    reap,
    redrive,
    release,
    resume,
    row,
    settle,
)  # fmt: skip
from tests.sql.faults import claim_all, one_odd_among

HOOK: dict[str, Any] = {"channel": "webhook", "recipient": "https://example.org/hook"}
MAIL: dict[str, Any] = {
    "channel": "email",
    "recipient": "ada@Example.ORG",
    "payload": '{"subject": "s", "text": "t"}',
}


@pytest.fixture
def db(shared_db):
    return shared_db


def set_aside(db, ids):
    return db.execute("select notify.set_aside(%s) as others", [ids]).fetchone().others


def waits(db, id):
    """Return whether a row waits for a pause."""
    query = "select from notify.pauses p where p.waits_at = %s"
    found = row(db, id)
    return found.status == "queued" and db.execute(query, [found.due_at]).fetchone() is not None


def test_a_claim_takes_nothing_that_is_paused_and_all_else(db):
    pause(db, "channel", "log")
    held, [other] = enqueue(db, 3), enqueue(db, **HOOK)
    assert [c.id for c in claim(db, [*held, other])] == [other]
    assert all(waits(db, id) for id in held)


def test_a_claim_of_any_goes_past_what_is_paused(db):
    pause(db, "channel", "log")
    held = enqueue(db, 5, priority=0)
    [other] = enqueue(db, priority=3, **HOOK)
    assert [c.id for c in claim(db, limit=5)] == [other]
    assert all(waits(db, id) for id in held)


def test_nothing_changes_of_it_but_when_it_is_due_and_since_when_it_is_tried(db):
    [id] = enqueue(db)
    settle(db, claim(db, [id]), "temporary", code="503")
    change(db, id, due_at=ago(db, "1 second"))
    before = row(db, id)
    pause(db, "channel", "log")
    assert claim(db, [id]) == []
    assert row(db, id) == before._replace(due_at=row(db, id).due_at, first_claimed_at=None)
    assert row(db, id).attempt == 1


@pytest.mark.parametrize(
    ("covering", "covered", "not_covered"),
    [
        (("channel", "webhook"), HOOK, MAIL),
        (("producer", "shop"), {"producer": "shop"}, {"producer": "shop2"}),
        (("destination", "https://EXAMPLE.org/other"), HOOK, HOOK | {"recipient": "http://example.org/hook"}),
        (("destination", "example.org"), MAIL, MAIL | {"recipient": "ada@mail.example.org"}),
        (("destination", "example.org"), MAIL, HOOK),
        (("destination", "https://example.org"), HOOK, {"channel": "log", "recipient": "https://example.org"}),
    ],
)  # fmt: skip
def test_it_covers_what_its_name_says_and_nothing_else(db, covering, covered, not_covered):
    pause(db, *covering)
    yes, no = insert(db, **covered).id, insert(db, **not_covered).id
    if "producer" in covered:
        change(db, yes, producer=covered["producer"])
        change(db, no, producer=not_covered["producer"])
    assert set_aside(db, [yes, no]) == [no]
    assert (waits(db, yes), waits(db, no)) == (True, False)


@pytest.mark.parametrize(
    ("paused_as", "spelled"),
    [
        ("https://example.org", "HTTPS://u:p@EXAMPLE.org.:0443/hook"),
        ("http://127.0.0.1:8080", "http://0x7f.1:8080/hook"),
        ("http://127.0.0.1", "http://2130706433"),
        ("https://[2001:db8::1]:8443", "https://[2001:0DB8:0::1]:8443?x"),
    ],
)
def test_a_destination_is_known_however_it_is_spelled(db, paused_as, spelled):
    pause(db, "destination", paused_as)
    id = put(db, "queued", channel="webhook", recipient=spelled)
    assert set_aside(db, [id]) == []
    assert waits(db, id)


def test_a_row_of_nobody_is_no_producers(db):
    pause(db, "producer", "shop")
    id = put(db, "queued", producer=None)
    assert set_aside(db, [id]) == [id]


def test_a_row_under_two_pauses_waits_for_the_second_when_the_first_ends(db):
    first, second = pause(db, "channel", "log"), pause(db, "producer", "shop")
    id = put(db, "queued", producer="shop")
    claim(db, [id])
    assert {p.id: p.waiting for p in paused(db)} == {first: 1, second: 0}
    resume(db, first)
    db.execute("select notify.bring_back(10)")
    assert claim(db, [id]) == []
    assert [(p.id, p.waiting) for p in paused(db)] == [(second, 1)]


def test_what_falls_due_later_is_set_aside_when_it_is_due(db):
    pause(db, "channel", "log")
    at = ago(db, "-1 hour")
    [id] = enqueue(db, send_at=at)
    assert claim(db, [id]) == []
    assert row(db, id).due_at == at
    change(db, id, due_at=ago(db, "1 second"))
    assert claim(db, [id]) == []
    assert waits(db, id)


def test_what_expires_does_so_though_it_is_paused(db):
    pause(db, "channel", "log")
    id = put(db, "queued", expires_at=ago(db, "1 second"))
    assert [c.status for c in claim(db, [id])] == ["expired"]


def test_what_is_being_sent_comes_back_into_the_pause(db):
    retried, reaped, released = enqueue(db, 3)
    got = {c.id: c for c in claim(db, [retried, reaped, released])}
    pause(db, "channel", "log")
    settle(db, [got[retried]], "temporary")
    release(db, [got[released]])
    change(db, reaped, lease_until=ago(db, "1 minute"))
    reap(db)
    for id in (retried, reaped, released):
        change(db, id, due_at=ago(db, "1 second"))
    before = {id: row(db, id) for id in got}
    assert claim(db, list(got)) == []
    for id in got:
        assert waits(db, id)
        assert (row(db, id).attempt, row(db, id).max_attempts) == (
            before[id].attempt, before[id].max_attempts)  # fmt: skip


def test_what_is_redriven_comes_back_into_the_pause(db):
    id = put(db, "failed")
    pause(db, "channel", "log")
    redrive(db, ids=[id], rate=None)
    assert claim(db, [id]) == []
    assert waits(db, id)


def test_it_is_not_offered_any_more(db):
    pause(db, "channel", "log")
    claim(db, enqueue(db, 3))
    assert all(not lane.ids for lane in due(db).values())


def test_workers_of_the_release_before_obey(db):
    pause(db, "channel", "log")
    ids = enqueue(db, 2)
    for more in ("", ", 'e'", ", 'e', true"):
        call = f"select id from notify.claim(%s, 10, 'w:1', '1 minute', 5, '1 hour'{more})"
        assert db.execute(call, [ids]).fetchall() == []


def test_a_pause_of_another_transaction_counts_from_its_commit_on(db, shared_url):
    first, second = enqueue(db, 2)
    with psycopg.connect(shared_url) as operator:
        operator.execute("select notify.pause('channel', 'log')")
        assert [c.id for c in claim(db, [first])] == [first]
        operator.commit()
    assert claim(db, [second]) == []


def test_a_claim_under_way_reads_the_pause_after_it_has_its_rows(db, shared_url):
    """It looks at the pauses in a statement after the one that locks: as late as it can."""
    [id] = enqueue(db)
    with psycopg.connect(shared_url) as worker:
        worker.execute("begin")
        worker.execute("select from notify.notifications where id = %s for update", [id])
        pause(db, "channel", "log")
        call = "notify.claim(%s, 10, 'w:1', '1 minute', 5, '1 hour', null, '{}'::text[])"
        assert worker.execute(f"select id from {call}", [[id]]).fetchall() == []
        worker.commit()
    assert waits(db, id)


def test_many_claims_set_aside_at_once_and_wait_for_nobody(db, shared_url):
    pause(db, "channel", "log")
    first, second = enqueue(db, 2)
    with psycopg.connect(shared_url) as worker:
        worker.execute("select notify.set_aside(%s)", [[first]])
        db.execute("set lock_timeout = '100ms'")
        assert claim(db, [second]) == []
        worker.commit()
    db.execute("reset lock_timeout")
    assert waits(db, first)
    assert waits(db, second)


def test_a_row_that_somebody_holds_is_not_waited_for(db, shared_url):
    pause(db, "channel", "log")
    held, other = enqueue(db, 2)
    with psycopg.connect(shared_url) as holder:
        holder.execute("select from notify.notifications where id = %s for update", [held])
        assert set_aside(db, [held, other]) == []
    assert (waits(db, held), waits(db, other)) == (False, True)


def test_an_odd_row_is_not_sent_and_stops_no_other(faulty_db, fault):
    ids, odd = one_odd_among(faulty_db)
    pause(faulty_db, "channel", "log")
    fault("queued")
    assert [c for c in claim_all(faulty_db, ids) if c.status == "sending"] == []
    assert [id for id in ids if id != odd and not waits(faulty_db, id)] == []
    assert row(faulty_db, odd).status == "queued"
    assert row(faulty_db, odd).attempt == 0


def test_in_a_long_ledger_it_opens_the_days_of_its_rows(long_db):
    ids = enqueue(long_db, 3)
    pause(long_db, "channel", "log")
    assert claim(long_db, ids) == []
    assert paused(long_db)[0].waiting == 3
    long_db.execute("delete from notify.pauses")
