"""notify.send_many(): many notifications as one statement, by a role that may read nothing."""

import json
from datetime import UTC, datetime, timedelta
from threading import Thread

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.corpus import REFUSED
from tests.ledger import row
from tests.producers import producer
from tests.sql.test_send import CALL, CHANGES, COPIES, DROPS, DROPS_BAD, SAID

TOMORROW = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
COUNT = "select count(*) as n from notify.notifications"


def item(**more):
    return {"channel": "log", "recipient": "r", "payload": {}} | more


def send_many(session, *items):
    query = "select notify.send_many(%s) as id"
    return [found.id for found in session.execute(query, [Jsonb(list(items))])]


def refused(session, *items):
    with pytest.raises(psycopg.Error) as caught:
        send_many(session, *items)
    return caught.value


def test_every_member_arrives_in_its_column(db, shop):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    sent = item(
        payload=None, reference="order-1", priority=0, send_at=TOMORROW.isoformat(),
        expires_at=(TOMORROW + timedelta(1)).isoformat(), idempotency_key="k", max_attempts=7,
        traceparent=trace, notify_on_end=True,
    )  # fmt: skip
    got = row(db, send_many(shop, sent)[0])
    assert got.producer == "shop"
    assert (got.send_at, got.expires_at) == (TOMORROW, TOMORROW + timedelta(1))
    plain = sent.keys() - {"send_at", "expires_at"}
    assert {name: getattr(got, name) for name in plain} == {name: sent[name] for name in plain}


def test_what_is_left_out_or_null_is_the_default(db, shop):
    spoken = item(**dict.fromkeys(("reference", "priority", "send_at", "notify_on_end")))
    for id in send_many(shop, item(), spoken):
        got = row(db, id)
        assert (got.priority, got.max_attempts, got.notify_on_end) == (2, None, False)


def test_a_thousand_come_back_in_their_order(db, shop):
    keys = [f"{n % 7}-{n}" for n in range(1000)]  # which are taken in another order
    ids = send_many(shop, *(item(idempotency_key=key) for key in keys))
    query = "select id, idempotency_key from notify.notifications"
    assert {found.id: found.idempotency_key for found in db.execute(query)} == dict(
        zip(ids, keys, strict=True)
    )


def test_none_are_none(shop):
    assert send_many(shop) == []


def test_one_that_is_refused_refuses_all_with_the_words_of_send(db, shop):
    for example in [example for example in REFUSED if example.rule]:
        said = (example.channel, example.recipient, example.payload)
        with pytest.raises(psycopg.Error) as by_send:
            shop.execute(CALL, [said[0], said[1], json.dumps(said[2])])
        by_many = refused(
            shop, item(), dict(zip(("channel", "recipient", "payload"), said, strict=True))
        )
        for word in SAID:
            assert getattr(by_many.diag, word) == getattr(by_send.value.diag, word)
    assert db.execute(COUNT).fetchone().n == 0


@pytest.mark.parametrize(
    ("odd", "rule"),
    [
        ({"priority": -1}, "priority_is_0_to_3"),
        ({"priority": 10**40}, "priority_is_0_to_3"),
        ({"max_attempts": 0}, "max_attempts_is_1_to_100"),
        ({"max_attempts": 10**40}, "max_attempts_is_1_to_100"),
        ({"reference": ""}, "reference_is_1_to_255_characters"),
        ({"tag": "x"}, "notifications_are_known"),
        ({"producer": "other"}, "notifications_are_known"),
    ],
)
def test_a_wrong_member_is_refused_by_its_rule(shop, odd, rule):
    assert refused(shop, item(**odd)).diag.constraint_name == rule


@pytest.mark.parametrize("missing", ["channel", "recipient", "payload"])
def test_what_is_needed_is_missed_as_by_send(shop, missing):
    assert refused(shop, {k: v for k, v in item().items() if k != missing}).sqlstate == "23502"


@pytest.mark.parametrize("argument", ["null", "'{}'", "'3'", "'[1]'"])
def test_what_is_no_array_of_objects_is_refused(shop, argument):
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        shop.execute(f"select notify.send_many({argument})")
    assert caught.value.diag.constraint_name == "notifications_are_known"


def test_a_rollback_leaves_nothing(db, shop):
    with shop.transaction(force_rollback=True):
        send_many(shop, item(), item())
    assert db.execute(COUNT).fetchone().n == 0


def test_a_repetition_gives_the_first_ids(db, shop):
    first = send_many(shop, item(idempotency_key="b"), item(idempotency_key="a"))
    again = send_many(
        shop, item(idempotency_key="a"), item(), item(idempotency_key="b"),
        item(idempotency_key="a"),
    )  # fmt: skip
    assert [again[0], again[2], again[3]] == [first[1], first[0], first[1]]
    assert db.execute(COUNT).fetchone().n == 3


def test_the_same_request_twice_in_one_array_is_one(db, shop):
    ids = send_many(shop, item(idempotency_key="a"), item(idempotency_key="a"))
    assert ids[0] == ids[1]
    assert db.execute(COUNT).fetchone().n == 1


def test_a_repetition_is_known_after_it_would_be_too_late(db, shop):
    soon = item(expires_at=TOMORROW.isoformat(), idempotency_key="a")
    first = send_many(shop, soon)
    gone = item(expires_at="2020-01-01T00:00:00Z", idempotency_key="a")
    assert refused(shop, gone).sqlstate in ("ND004", "23514")
    assert send_many(shop, soon) == first


def test_a_key_of_send_is_known_here(shop):
    query = (
        "select notify.send(channel => 'log', recipient => 'r', payload => '{}',"
        " idempotency_key => 'a') as id"
    )
    assert [shop.execute(query).fetchone().id] == send_many(shop, item(idempotency_key="a"))


def test_a_key_for_another_request_refuses_all(db, shop):
    send_many(shop, item(idempotency_key="a"))
    assert refused(shop, item(), item(idempotency_key="a", priority=0)).sqlstate == "ND004"
    assert db.execute(COUNT).fetchone().n == 1


def test_two_calls_with_the_same_keys_in_opposite_orders_do_not_deadlock(db, dsn, shop):
    items = [item(idempotency_key=f"k{n}") for n in range(300)]
    with producer(db, dsn, "shop") as other:
        results = []

        def send(session, order):
            results.append(set(send_many(session, *order)))

        threads = [Thread(target=send, args=(shop, items)),
                   Thread(target=send, args=(other, items[::-1]))]  # fmt: skip
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(results) == 2
        assert results[0] == results[1]


@pytest.mark.parametrize("key", [{}, {"idempotency_key": "k"}])
@pytest.mark.parametrize("name", DROPS)
def test_a_row_that_somebody_drops_is_an_error_and_not_null(db, shop, name, key):
    db.execute(DROPS[name])
    assert refused(shop, item(**key)).sqlstate in ("ND007", "0A000")


def test_a_row_that_somebody_drops_gets_no_id_of_the_request_that_took_its_key(db, shop):
    db.execute(DROPS_BAD)
    first = send_many(shop, item(idempotency_key="k"))
    bad = item(recipient="bad", idempotency_key="k")
    assert refused(shop, item(), bad).sqlstate == "ND007"
    assert send_many(shop, item(idempotency_key="k")) == first


def test_a_repetition_of_what_somebody_changes_gives_the_first_id(db, shop):
    db.execute(CHANGES)
    first = send_many(shop, item(idempotency_key="k"), item(idempotency_key="l"))
    again = send_many(shop, item(), item(idempotency_key="k"), item(idempotency_key="l"))
    assert again[1:] == first


def test_a_row_that_somebody_gives_another_id_is_an_error(db, shop):
    db.execute(
        "create function public.moves() returns trigger language plpgsql as"
        " 'begin new.id := notify.new_id(); return new; end';"
        " create trigger aa before insert on notify.notifications"
        " for each row execute function public.moves()"
    )
    assert refused(shop, item()).sqlstate == "ND007"


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_it_works_at_higher_isolation(shop, isolation):
    with shop.transaction():
        shop.execute(f"set transaction isolation level {isolation}")
        first = send_many(shop, item(idempotency_key="a"), item())
        assert send_many(shop, item(idempotency_key="a"))[0] == first[0]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_repetition_is_known_although_somebodys_trigger_sends_too(db, shop, when):
    db.execute(COPIES.format(when))
    first = send_many(shop, item(idempotency_key="a"))
    assert send_many(shop, item(idempotency_key="a"), item(idempotency_key="b"))[:1] == first


def test_a_hostile_search_path_has_no_say(db, shop):
    db.execute("create schema evil; grant usage on schema evil to public")
    db.execute(
        "create function evil.jsonb_array_length(jsonb) returns integer language plpgsql as"
        " 'begin raise exception ''evil''; end'; set search_path = evil, pg_catalog"
    )
    shop.execute("set search_path = evil, pg_catalog")
    assert len(send_many(shop, item())) == 1


def test_who_may_not_send_may_not_call_it(db, dsn, shop):
    db.execute("select notify.revoke_producer(%s)", [shop.info.user])
    assert refused(shop, item()).sqlstate == "42501"
