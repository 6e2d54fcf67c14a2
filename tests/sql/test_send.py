"""notify.send(): one notification, in the caller's transaction, by a role that may read nothing."""

import json
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.corpus import OK, REFUSED
from tests.ledger import claim, row, settle
from tests.producers import producer

TOMORROW = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
SEND = "select notify.send(channel => 'log', recipient => 'r', payload => '{{}}'{}) as id"
CALL = "select notify.send(%s, %s, %s)"
INSERT = "insert into notify.notifications (channel, recipient, payload) values (%s, %s, %s)"
SAID = ("sqlstate", "constraint_name", "column_name", "message_primary", "message_hint")


def send(session, more=""):
    return session.execute(SEND.format(more and ", " + more)).fetchone().id


def given(example):
    return example.channel, example.recipient, json.dumps(example.payload)


def refused(session, more):
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        send(session, more)
    return caught.value.diag


def test_three_arguments_are_enough(db, shop):
    got = row(db, send(shop))
    assert (got.status, got.priority, got.max_attempts, got.payload) == ("queued", 2, None, {})
    assert got.producer == "shop"
    assert len(settle(db, claim(db))) == 1


def test_every_argument_arrives_in_its_column(db, shop):
    payload = {"subject": "s", "text": "t"}
    sent = {
        "channel": "email", "recipient": "a@b.example",
        "payload": Jsonb(payload), "reference": "order-1", "priority": 0,
        "send_at": TOMORROW, "expires_at": TOMORROW + timedelta(1), "idempotency_key": "k",
        "options": Jsonb({"max_attempts": 7}),
    }  # fmt: skip
    named = ", ".join(f"{name} => %({name})s" for name in sent)
    got = row(db, shop.execute(f"select notify.send({named}) as id", sent).fetchone().id)
    assert got.max_attempts == 7
    assert got.payload == payload
    plain = sent.keys() - {"payload", "options"}
    assert {name: getattr(got, name) for name in plain} == {name: sent[name] for name in plain}


@pytest.mark.parametrize(
    "call",
    [
        "notify.send('log', 'r', '{\"a\": 1}')",
        "notify.send('log', 'r', jsonb_build_object('a', 1))",
        "notify.send('log', 'r', to_jsonb(array[1]), 'order-1', 3, now(), now() + '1 day')",
        "notify.send(payload => 'null', recipient => 'r', channel => 'log')",
        "notify.send('log'::varchar, 'r'::char(3), '1'::jsonb, priority => 1::smallint)",
        "notify.send('log', 'r', '1', null, null, null, null, null, null)",
        "notify.send('log', 'r', '1', send_at => current_date)",
        "send('log', 'r', '1')",
    ],
)
def test_it_takes_what_people_write(db, shop, call):
    assert row(db, shop.execute(f"select {call} as id").fetchone().id).status == "queued"


@pytest.mark.parametrize("prepare", [False, True])
def test_parameters_without_a_type_are_understood(db, shop, prepare):
    query = "select notify.send(%s, %s, %s, priority => %s, send_at => %s) as id"
    given = ["log", "r", '{"a": 1}', 3, TOMORROW]
    got = row(db, shop.execute(query, given, prepare=prepare).fetchone().id)
    assert (got.payload, got.priority, got.send_at) == ({"a": 1}, 3, TOMORROW)


@pytest.mark.parametrize("payload", ["'1'::varchar", "row_to_json(row(1))"])
def test_a_text_or_json_that_is_typed_needs_a_cast(shop, payload):
    """JDBC's setString says varchar; ops/SQL.md writes the cast, and to_jsonb()."""
    with pytest.raises(psycopg.errors.UndefinedFunction):
        shop.execute(f"select notify.send('log', 'r', {payload})")
    shop.execute(f"select notify.send('log', 'r', {payload}::jsonb)")


def test_there_is_one_signature(db):
    query = (
        "select count(*) as n from pg_proc"
        " where proname = 'send' and pronamespace = 'notify'::regnamespace"
    )
    assert db.execute(query).fetchone().n == 1


def test_what_is_right_is_taken(shop):
    for example in OK:
        shop.execute(CALL, given(example))


def test_what_is_wrong_is_refused_with_the_words_of_an_insert(shop):
    for example in [example for example in REFUSED if example.rule]:
        with pytest.raises(psycopg.Error) as by_send:
            shop.execute(CALL, given(example))
        with pytest.raises(psycopg.Error) as by_insert:
            shop.execute(INSERT, given(example))
        for word in SAID:
            assert getattr(by_send.value.diag, word) == getattr(by_insert.value.diag, word)


@pytest.mark.parametrize("priority", ["-1", "4", "32768", "2147483647", "-2147483648"])
def test_a_priority_beyond_every_lane_has_the_same_hint(shop, priority):
    assert refused(shop, f"priority => {priority}").constraint_name == "priority_is_0_to_3"


@pytest.mark.parametrize(
    "options",
    ['{"tag": 1}', '{"max_attempts": 3, "Max_Attempts": 4}', "[]", "3", '"max_attempts"', "null",
     '["max_attempts"]', '{"": null}'],
)  # fmt: skip
def test_options_that_are_unknown_are_refused(shop, options):
    said = refused(shop, f"options => '{options}'")
    assert said.constraint_name == "options_are_known"
    assert "max_attempts" in said.message_hint


@pytest.mark.parametrize("value", ["0", "101", "-1", "1.5", '"3"', "true", "{}", "1e9", "1" * 40])
def test_max_attempts_that_is_no_number_of_attempts_is_refused(shop, value):
    said = refused(shop, f"""options => '{{"max_attempts": {value}}}'""")
    assert said.constraint_name == "max_attempts_is_1_to_100"


@pytest.mark.parametrize("options", ["null", "'{}'", """'{"max_attempts": null}'"""])
def test_options_that_say_nothing_are_the_defaults(db, shop, options):
    assert row(db, send(shop, f"options => {options}")).max_attempts is None


def test_a_rollback_leaves_nothing(db, shop):
    with shop.transaction(force_rollback=True):
        id = send(shop)
        assert db.execute("select count(*) as n from notify.notifications").fetchone().n == 0
    assert row(db, id) is None


def test_it_rings_an_armed_doorbell(db, shop):
    db.execute("listen notify_wake")
    db.execute("select notify.arm(1000)")
    send(shop)
    assert [n.payload for n in db.notifies(timeout=60, stop_after=1)] == [""]


DROPS = {
    "a trigger": (
        "create function public.drops() returns trigger language plpgsql as"
        " 'begin return null; end'; create trigger aa before insert on notify.notifications"
        " for each row execute function public.drops()"
    ),
    "a rule": "create rule drops as on insert to notify.notifications do instead nothing",
}


@pytest.mark.parametrize("key", ["", "idempotency_key => 'k'"])
@pytest.mark.parametrize("name", DROPS)
def test_a_row_that_somebody_drops_is_an_error_and_not_null(db, shop, name, key):
    db.execute(DROPS[name])
    with pytest.raises(psycopg.Error) as caught:
        send(shop, key)
    assert caught.value.sqlstate in (
        "ND007",
        "0A000",
    )  # RETURNING of a rule is PostgreSQL's to refuse


THEIRS = (
    "create function public.theirs() returns trigger language plpgsql as"
    " $$ begin {} return new; end $$; create trigger aa before insert on notify.notifications"
    " for each row execute function public.theirs()"
)
DROPS_BAD = THEIRS.format("if new.recipient = 'bad' then return null; end if;")
CHANGES = THEIRS.format("new.reference := 'theirs';")
COPIES = (
    "create function public.copies() returns trigger language plpgsql security definer as"
    " $$ begin perform notify.send('log', 'copy', '1'); return new; end $$;"
    " create trigger aa {} insert on notify.notifications for each row"
    " when (new.recipient <> 'copy') execute function public.copies()"
)


def test_a_row_that_somebody_drops_gets_no_id_of_the_request_that_took_its_key(db, shop):
    db.execute(DROPS_BAD)
    first = send(shop, "idempotency_key => 'k'")
    with pytest.raises(psycopg.Error) as caught:
        shop.execute("select notify.send('log', 'bad', '{\"another\": 1}', idempotency_key => 'k')")
    assert caught.value.sqlstate == "ND007"
    assert send(shop, "idempotency_key => 'k'") == first


def test_a_repetition_of_what_somebody_changes_gives_the_first_id(db, shop):
    db.execute(CHANGES)
    first = send(shop, "idempotency_key => 'k'")
    assert send(shop, "idempotency_key => 'k'") == first
    assert row(db, first).reference == "theirs"


def test_a_key_that_is_repeated_gives_the_first_id(db, shop):
    first = send(shop, "idempotency_key => 'order-1'")
    assert send(shop, "idempotency_key => 'order-1'") == first
    assert send(shop, "idempotency_key => 'order-2'") != first
    settle(db, claim(db))
    assert send(shop, "idempotency_key => 'order-1'") == first
    assert db.execute("select count(*) as n from notify.notifications").fetchone().n == 2


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_repetition_is_known_although_somebodys_trigger_sends_too(db, shop, when):
    db.execute(COPIES.format(when))
    first = send(shop, "idempotency_key => 'k'")
    assert send(shop, "idempotency_key => 'k'") == first


def test_a_key_of_before_the_turn_gives_the_first_id(db, shop):
    first = send(shop, "idempotency_key => 'order-1'")
    db.execute("insert into notify.idempotency_keys_before select * from notify.idempotency_keys")
    db.execute("truncate notify.idempotency_keys")
    assert send(shop, "idempotency_key => 'order-1'") == first


def test_a_key_for_another_request_is_refused_by_name(shop):
    send(shop, "idempotency_key => 'order-1'")
    with pytest.raises(psycopg.Error) as caught:
        send(shop, "idempotency_key => 'order-1', priority => 1")
    assert caught.value.sqlstate == "ND004"


def test_the_same_key_of_another_producer_is_another(db, dsn, shop):
    first = send(shop, "idempotency_key => 'order-1'")
    with producer(db, dsn) as other:
        assert send(other, "idempotency_key => 'order-1'") != first


def test_options_bring_the_trace_and_the_wish_to_hear_the_end(db, shop):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    got = row(db, send(shop, f'options => \'{{"traceparent": "{trace}", "notify_on_end": true}}\''))
    assert (got.traceparent, got.notify_on_end) == (trace, True)
    plain = '\'{"traceparent": null, "notify_on_end": null}\''
    got = row(db, send(shop, f"options => {plain}"))
    assert (got.traceparent, got.notify_on_end) == (None, False)


@pytest.mark.parametrize(
    "options",
    ['{"traceparent": 1}', '{"traceparent": ["x"]}', '{"notify_on_end": "true"}',
     '{"notify_on_end": 1}', '{"transaction_id": "5"}'],
)  # fmt: skip
def test_options_of_another_type_are_refused(shop, options):
    said = refused(shop, f"options => '{options}'")
    assert said.constraint_name == "options_are_known"
    assert "notify_on_end" in said.message_hint
