"""ask_probe(): who keeps a destination back is asked to try it, and some of its rows fall due."""

from datetime import timedelta

import pytest

from tests.explaining import MAIL, URL, WEBHOOK, beat, note, silence, state
from tests.ledger import ago, change, claim, enqueue, release, row

HOOKS = "https://hooks.example"


@pytest.fixture
def db(shared_db):
    beat(shared_db)
    yield shared_db
    shared_db.execute("truncate notify.workers, notify.destination_state, notify.probes")


def ask(db, channel="webhook", destination=HOOKS, by="ops"):
    query = "select * from notify.ask_probe(%s, %s, %s)"
    return db.execute(query, [channel, destination, by]).fetchone()


def asked(db):
    query = "select channel, destination, asked_by from notify.probes order by destination"
    return [tuple(r) for r in db.execute(query)]


def parked(db, n=1, wait="1 hour", **columns):
    """Enqueue some, and let a worker park them."""
    ids = enqueue(db, n, **(WEBHOOK | columns))
    release(db, claim(db, ids, limit=n), wait)
    return ids


@pytest.mark.parametrize("word", ["breaker", "pace", "url"])
def test_what_a_living_worker_keeps_back_is_asked_for(db, word):
    [id] = parked(db)
    note(db, state(HOOKS, word, url_hash="x" if word == "url" else ""))
    assert ask(db) == ([word], 1, 1)
    assert asked(db) == [("webhook", HOOKS, "ops")]
    kept = row(db, id)
    assert ago(db, "0") < kept.due_at <= ago(db, "-2 seconds")
    assert (kept.status, kept.attempt, kept.max_attempts) == ("queued", 1, 5)


def test_two_arguments_are_enough(db):
    note(db, state(HOOKS))
    query = "select brought from notify.ask_probe('webhook', %s)"
    assert db.execute(query, [HOOKS]).fetchone().brought == 0
    assert asked(db) == [("webhook", HOOKS, None)]


def test_each_reason_and_each_worker_is_counted_once(db):
    beat(db, "w:2")
    note(db, state(HOOKS), state(HOOKS, "url", url_hash="x"), state(HOOKS, "url", url_hash="y"))
    note(db, state(HOOKS), worker="w:2")
    assert ask(db) == (["breaker", "url"], 2, 0)


@pytest.mark.parametrize("word", ["share", "name"])
def test_a_slow_one_is_tried_all_the_time_and_needs_no_probe(db, word):
    note(db, state(HOOKS, word))
    assert ask(db) is None
    assert asked(db) == []


def test_what_nobody_keeps_back_or_only_a_dead_worker_did_is_left_alone(db):
    [id] = parked(db)
    due_at = row(db, id).due_at
    assert ask(db) is None
    note(db, state("https://other.example"), state(HOOKS, channel="email"))
    assert ask(db) is None
    note(db, state(HOOKS))
    silence(db, "31 s")
    assert ask(db) is None
    assert row(db, id).due_at == due_at


def test_only_parked_rows_of_that_destination_are_brought_forward(db):
    note(db, state(HOOKS))
    [meant] = parked(db, recipient="https://HOOKS.example:443/other")
    others = [
        *parked(db, recipient="https://hooks.example:8443/"),
        *parked(db, channel="log", recipient=URL),
        *enqueue(db, 1, **WEBHOOK, due_at=ago(db, "-1 hour")),
        *parked(db, is_test=True),
    ]
    before = [row(db, id) for id in others]
    assert ask(db).brought == 1
    assert row(db, meant).due_at <= ago(db, "-2 seconds")
    assert [row(db, id) for id in others] == before


def test_what_falls_due_by_itself_in_time_stays_as_it_is(db):
    note(db, state(HOOKS))
    [id] = parked(db, wait="3 seconds")
    due_at = row(db, id).due_at
    assert ask(db).brought == 0
    assert row(db, id).due_at == due_at


def test_twenty_ask_first_and_the_others_come_when_the_answer_is_there(db):
    note(db, state(HOOKS))
    parked(db, 30)
    assert ask(db).brought == 30
    query = "select due_at, count(*) as n from notify.notifications group by 1 order by 1"
    first, rest = db.execute(query).fetchall()
    assert (first.n, rest.n) == (20, 10)
    assert rest.due_at - first.due_at == timedelta(seconds=2)


def test_no_more_than_a_thousand_are_brought_forward_the_first_to_fall_due_before_others(db):
    note(db, state(HOOKS))
    last = parked(db, 5, wait="2 hours")
    parked(db, 1000)
    assert ask(db).brought == 1000
    assert all(row(db, id).due_at > ago(db, "-1 hour") for id in last)
    assert ask(db).brought == 5


def test_all_mails_may_ask_for_the_mail_server_and_those_of_a_domain_for_it(db):
    one = parked(db, **MAIL)
    two = parked(db, **(MAIL | {"recipient": "bob@other.example"}))
    note(db, state("example.org", channel="email"))
    assert ask(db, "email", "example.org").brought == 1
    note(db, state("", channel="email"))
    assert ask(db, "email", "") == (["breaker"], 1, 1)
    assert all(row(db, id).due_at < ago(db, "-2 seconds") for id in one + two)


def test_it_may_be_asked_again_and_old_ones_are_removed(db):
    note(db, state(HOOKS), state("https://b.example"), state("https://c.example"))
    for name in (HOOKS, "https://b.example"):
        ask(db, destination=name)
    db.execute("update notify.probes set asked_at = asked_at - interval '61 minutes'")
    ask(db, destination=HOOKS, by="x")
    assert asked(db) == [("webhook", HOOKS, "x")]
    ask(db, destination=HOOKS, by="y" * 300)
    assert asked(db) == [("webhook", HOOKS, "y" * 255)]


def test_rows_of_a_long_ledger_are_found(long_db):
    beat(long_db)
    note(long_db, state(HOOKS))
    parked(long_db)
    assert ask(long_db).brought == 1
    long_db.execute("truncate notify.workers, notify.destination_state, notify.probes")


def test_one_whose_patience_is_over_stays_as_each_answer_would_cost_it_an_attempt(db):
    [id] = parked(db)
    beat(db, "w:2", patience="5 minutes")
    change(db, id, first_claimed_at=ago(db, "6 minutes"))
    note(db, state(HOOKS))
    due_at = row(db, id).due_at
    assert ask(db) == (["breaker"], 1, 0)
    assert row(db, id).due_at == due_at


def test_a_worker_of_a_clock_that_was_ahead_does_not_live(db):
    note(db, state(HOOKS))
    silence(db, "-31 seconds")
    assert ask(db) is None
