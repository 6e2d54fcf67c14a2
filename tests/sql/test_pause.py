"""Pausing: what a pause is called, that it is made once, and that nothing is claimed after it."""

import psycopg
import pytest

from tests.ledger import ago, claim, enqueue, pause, paused, resume, row, settle
from tests.producers import role


@pytest.fixture
def db(shared_db):
    return shared_db


def made(db, *args):
    query = f"select * from notify.pause({', '.join(['%s'] * len(args))})"
    return db.execute(query, args).fetchone()


def test_a_pause_says_who_made_it_when_and_why(db):
    id, is_new = made(db, "channel", "email", None, "The mail server moves.", "ops", "key1")
    assert is_new
    [kept] = paused(db)
    assert (kept.id, kept.kind, kept.name, kept.channel) == (id, "channel", "email", None)
    assert (kept.reason, kept.paused_by) == ("The mail server moves.", "ops")
    assert ago(db, "10 seconds") < kept.paused_at <= ago(db, "0")
    assert (kept.resumed_at, kept.waiting) == (None, 0)


def test_without_an_actor_it_is_the_role_that_pauses(db):
    pause(db, "producer", "shop")
    assert paused(db)[0].paused_by == db.execute("select session_user::text as u").fetchone().u


def test_to_pause_again_changes_nothing(db):
    first = made(db, "channel", "email", None, "first", "ops")
    again = made(db, "channel", "email", None, "second", "other")
    assert (again.id, again.is_new) == (first.id, False)
    assert [(p.reason, p.paused_by) for p in paused(db)] == [("first", "ops")]


def test_what_was_resumed_can_be_paused_again_while_its_last_rows_come_back(db):
    first = pause(db, "channel", "log")
    resume(db, first)
    second = pause(db, "channel", "log")
    assert second != first
    assert [p.id for p in paused(db)] == [second, first]


@pytest.mark.parametrize(
    ("name", "channel", "is_called"),
    [
        ("https://Example.org:443/hook?x=1", None, ("https://example.org", "webhook")),
        ("http://127.0.0.1:8080", "webhook", ("http://127.0.0.1:8080", "webhook")),
        ("https://[2001:DB8::1]/", None, ("https://[2001:db8::1]", "webhook")),
        ("Example.org", None, ("example.org", "email")),
        ("https://ada@Example.org", None, ("https://example.org", "webhook")),
        ("example.org.", "email", ("example.org", "email")),
    ],
)
def test_a_destination_is_called_as_workers_call_it(db, name, channel, is_called):
    pause(db, "destination", name, channel=channel)
    [kept] = paused(db)
    assert (kept.name, kept.channel) == is_called


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((None, "email"), "a destination, a channel or a producer"),
        (("host", "email"), "a destination, a channel or a producer"),
        (("channel", "emial"), "Use webhook, email or log"),
        (("channel", None), "Use webhook, email or log"),
        (("producer", ""), "1 to 255"),
        (("producer", None), "1 to 255"),
        (("producer", "p" * 256), "1 to 255"),
        (("destination", "example.org", "webhook"), "an origin"),
        (("destination", "b\u00fccher.example", "email"), "xn--"),
        (("destination", None), "an origin"),
        (("destination", "ada@example.org"), "not one address"),
        (("destination", "ada@example.org", "email"), "not one address"),
        (("destination", "@example.org"), "not one address"),
        (("destination", "https://ada@example.org", "email"), "not one address"),
        (("channel", "log", "email"), "Leave channel out"),
        (("producer", "shop", "email"), "Leave channel out"),
        (("destination", "https://example.org", "log"), "Only webhooks and mails"),
        (("channel", "email", None, "r" * 256), "under 256"),
        (("channel", "email", None, "a\nb"), "control characters"),
        (("producer", "a\u009bb"), "control characters"),
    ],
)
def test_what_is_none_is_refused_with_what_to_write(db, args, words):
    with pytest.raises(psycopg.Error, match=words) as refused:
        made(db, *args)
    assert refused.value.sqlstate == "ND009"
    assert paused(db) == []


def test_a_channel_may_be_named_twice(db):
    made(db, "channel", "log", "log")
    assert [(p.name, p.channel) for p in paused(db)] == [("log", None)]


def test_a_thousand_pauses_are_enough(db):
    db.execute("select notify.pause('producer', 'p' || n) from generate_series(1, 1000) as n")
    with pytest.raises(psycopg.Error, match="1000 pauses are in force"):
        pause(db, "producer", "one-more")


def test_the_audit_knows_who_paused_what(db):
    id = pause(db, "destination", "https://example.org/a", actor="ops", key_id="key1")
    pause(db, "destination", "https://example.org/b", actor="ops")
    uses = db.execute("select * from notify.audit where verb = 'pause' order by id desc limit 2")
    [use] = [u for u in uses if u.detail["id"] >= id]
    assert (use.actor, use.key_id) == ("ops", "key1")
    assert use.detail == {
        "id": id, "kind": "destination", "name": "https://example.org", "channel": "webhook",
    }  # fmt: skip


def test_what_was_claimed_before_is_settled_as_ever(db):
    [id] = enqueue(db)
    got = claim(db, [id])
    pause(db, "channel", "log")
    assert [s.status for s in settle(db, got)] == ["sent"]
    assert row(db, id).status == "sent"


def test_two_at_once_make_one(db, shared_url):
    with psycopg.connect(shared_url) as other:
        other.execute("select notify.pause('channel', 'log', p_actor => 'first')")
        with psycopg.connect(shared_url, autocommit=True) as third:
            third.execute("set lock_timeout = '100ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):  # it waits to see who is first
                third.execute("select notify.pause('channel', 'log')")
        other.commit()
    assert made(db, "channel", "log").is_new is False
    assert [p.paused_by for p in paused(db)] == ["first"]


def test_a_role_that_owns_nothing_may_pause_and_resume_with_the_services_rights(db, shared_url):
    with role(db) as user:
        db.execute(f"grant usage on schema notify to {user}")
        db.execute(f"grant select, insert, update, delete on all tables in schema notify to {user}")
        db.execute("select notify.keep_rights()")
        with psycopg.connect(shared_url, user=user, password="p", autocommit=True) as session:
            [(id,)] = session.execute("select id from notify.pause('channel', 'log')").fetchall()
            assert claim(db, enqueue(db)) == []
            assert paused(db)[0].paused_by == user
            session.execute("select notify.resume(%s)", [id])
            assert session.execute("select notify.bring_back(10)").fetchall() == [(1,)]


def test_who_only_reads_pauses_nothing(db, shared_url):
    with role(db) as user:
        db.execute(f"grant usage on schema notify to {user}")
        db.execute(f"grant select on all tables in schema notify to {user}")
        db.execute("select notify.keep_rights()")
        with psycopg.connect(shared_url, user=user, password="p", autocommit=True) as session:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute("select notify.pause('channel', 'log')")
            assert session.execute("select * from notify.paused(null, 1)").fetchall() == []


def test_a_trigger_that_drops_the_pause_is_told(faulty_db):
    faulty_db.execute(
        "create function public.fault() returns trigger language plpgsql as"
        " $$ begin return null; end $$;"
        "create trigger theirs before insert on notify.pauses"
        " for each row execute function public.fault()"
    )
    faulty_db.execute("set statement_timeout = '2s'")
    with pytest.raises(psycopg.Error, match="dropped by a trigger") as refused:
        made(faulty_db, "channel", "email")
    faulty_db.execute("reset statement_timeout")
    assert refused.value.sqlstate == "ND007"
