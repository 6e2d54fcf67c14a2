"""notify.validate(): what send() would say, and nothing written."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.corpus import OK, REFUSED
from tests.producers import producer, role

NOW = datetime.now(UTC)
ARGUMENTS = (
    "channel", "recipient", "payload", "reference", "priority", "send_at", "expires_at",
    "idempotency_key", "options",
)  # fmt: skip
PLAIN: dict[str, Any] = {"channel": "log", "recipient": "r", "payload": "{}"}
# Each differs from PLAIN in this.
ODD: list[dict[str, Any]] = [
    {"channel": None}, {"recipient": None}, {"payload": None}, {"channel": "", "payload": None},
    {"channel": "Log"}, {"channel": "email", "payload": None}, {"channel": "webhook"},
    {"recipient": ""}, {"recipient": "a\nb"}, {"payload": '"' + "x" * 262_144 + '"'},
    {"reference": ""}, {"reference": "x" * 256}, {"reference": "a\u0085b"}, {"reference": None},
    {"priority": -1}, {"priority": 4}, {"priority": 2**31 - 1}, {"priority": -(2**31)},
    {"priority": None}, {"priority": 0},
    {"send_at": "infinity"}, {"send_at": "-infinity"}, {"send_at": NOW - timedelta(days=30)},
    {"send_at": NOW + timedelta(days=400)}, {"send_at": NOW + timedelta(days=30)},
    {"expires_at": NOW - timedelta(days=1)}, {"expires_at": "infinity"},
    {"expires_at": "-infinity"}, {"expires_at": NOW + timedelta(days=3)},
    {"expires_at": NOW + timedelta(days=1), "send_at": NOW + timedelta(days=2)},
    {"idempotency_key": ""}, {"idempotency_key": "k" * 256}, {"idempotency_key": "a\u2028b"},
    {"idempotency_key": "new"}, {"idempotency_key": "used"},
    {"idempotency_key": "used", "priority": 3}, {"idempotency_key": "used", "payload": None},
    {"idempotency_key": "used", "recipient": ""}, {"idempotency_key": "others"},
    {"idempotency_key": "expired", "expires_at": NOW - timedelta(days=1)},
    {"options": None}, {"options": "{}"}, {"options": "null"}, {"options": "[]"},
    {"options": '{"max_attempts": 100}'}, {"options": '{"max_attempts": 101}'},
    {"options": '{"max_attempts": 0}'}, {"options": '{"max_attempts": 1.5}'},
    {"options": '{"tag": 1}', "channel": None}, {"options": '{"notify_on_end": 1}'},
    {"options": '{"traceparent": "nonsense", "notify_on_end": true}'},
]  # fmt: skip
CORPUS = [PLAIN | odd for odd in ODD] + [
    {"channel": e.channel, "recipient": e.recipient, "payload": json.dumps(e.payload)}
    for e in OK + REFUSED
]


def named(function, given):
    return f"select * from notify.{function}({', '.join(f'{a} => %({a})s' for a in given)})"


def validate(session, given):
    return session.execute(named("validate", given), given).fetchall()


def said_by_send(session, given):
    """Send, and undo it; return the rule, the column and the hint of what was refused."""
    try:
        with session.transaction(force_rollback=True):
            session.execute(named("send", given), given)
    except psycopg.errors.NotNullViolation as error:
        return [("not_null", error.diag.column_name)]
    except psycopg.Error as error:
        assert error.sqlstate in ("23514", "ND004")
        return [(error.diag.constraint_name, error.diag.column_name, error.diag.message_hint)]
    return []


def test_it_says_what_send_says_of_everything(db, dsn, shop):
    """Good and bad alike: an accepted one is no row, a refused one the words of the error."""
    with producer(db, dsn, "other") as other:
        send = PLAIN | {"recipient": "another", "idempotency_key": "others"}
        other.execute(named("send", send), send)
    for key, more in (("used", {}), ("expired", {"expires_at": NOW - timedelta(days=1)})):
        given = PLAIN | {"idempotency_key": key}
        shop.execute(named("send", given), given)
        if more:  # the same request, whose time has passed since
            db.execute(
                "update notify.idempotency_keys set request = notify.request_hash('log', 'r', '{}',"
                " 2::smallint, null, %s, null, null, false) where key = %s",
                [more["expires_at"], key],
            )
    verdicts = set()
    for given in CORPUS:
        said = said_by_send(shop, given)
        got = [tuple(row)[: len(said[0]) if said else 3] for row in validate(shop, given)]
        assert got == said, given
        verdicts |= {said[0][0] if said else None}
    assert verdicts >= {None, "idempotency_key_reused", "not_null", "options_are_known"}


def test_it_has_the_arguments_of_send(db):
    query = "select pg_get_function_arguments(('notify.' || %s)::regproc) as a"
    send, own = (db.execute(query, [name]).fetchone().a for name in ("send", "validate"))
    assert own.partition(", rule ")[0] == send
    assert [word.split()[0] for word in send.split(", ")] == list(ARGUMENTS)


def test_it_says_what_is_wrong_where_and_what_to_write(shop):
    [fault] = validate(shop, PLAIN | {"priority": 9})
    assert (fault.rule, fault.column_name) == ("priority_is_0_to_3", "priority")
    assert "0 (urgent)" in fault.hint


def test_it_writes_nothing_and_works_where_nothing_can_be_written(db, shop):
    with shop.transaction():
        shop.execute("set transaction read only")
        for given in (PLAIN | {"idempotency_key": "k"}, PLAIN | {"channel": "fax"}):
            assert len(validate(shop, given)) == (given["channel"] == "fax")
        xid = "select pg_current_xact_id_if_assigned() as x"
        assert shop.execute(xid).fetchone().x is None
    for table in ("notifications", "idempotency_keys"):
        assert db.execute(f"select count(*) as n from notify.{table}").fetchone().n == 0


def test_a_mailbox_in_another_spelling_is_the_same_request(shop):
    mail = {"channel": "email", "payload": '{"subject": "s", "text": "t"}', "idempotency_key": "k"}
    first = mail | {"recipient": "Ada@EXAMPLE.org"}
    shop.execute(named("send", first), first)
    for recipient, rules in (
        ("ada@example.org", []), ("bob@example.org", ["idempotency_key_reused"])
    ):  # fmt: skip
        given = mail | {"recipient": recipient}
        assert [f.rule for f in validate(shop, given)] == rules
        assert [rule for rule, *_ in said_by_send(shop, given)] == rules


def test_a_key_that_an_open_transaction_holds_is_free_and_waited_for_by_nobody(db, dsn, shop):
    given = PLAIN | {"idempotency_key": "k"}
    with producer(db, dsn, "shop") as second, second.transaction():
        second.execute(named("send", given), given)
        assert validate(shop, given | {"priority": 1}) == []
    assert [f.rule for f in validate(shop, given | {"priority": 1})] == ["idempotency_key_reused"]


def test_whoever_was_not_granted_it_may_not_ask(db, dsn):
    with role(db) as user:
        db.execute(f"grant usage on schema notify to {user}")
        with (
            psycopg.connect(dsn, user=user, password="p") as session,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            session.execute("select * from notify.validate('log', 'r', '1')")
