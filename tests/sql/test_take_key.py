"""Idempotency keys of INSERTs: the same request counts once, whoever comes when."""

from threading import Thread
from time import perf_counter

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.ledger import ago, insert
from tests.producers import producer as new_producer
from tests.waiting import wait_for

INSERT = (
    "insert into notify.notifications (channel, recipient, payload, idempotency_key)"
    " values ('log', %s, '{\"n\": 1}', %s)"
)


ISOLATIONS = ["read committed", "repeatable read", "serializable"]


def send(db, key="k", recipient="r"):
    """INSERT with a key; returns how many rows came of it."""
    return db.execute(INSERT, [recipient, key]).rowcount


def count(db):
    return db.execute("select count(*) as n from notify.notifications").fetchone().n


def keys(db):
    return sorted(r.key for r in db.execute("select key from notify.idempotency_keys"))


def age(db, interval):
    """Move the keys into the past."""
    for table in ("idempotency_keys", "idempotency_keys_before"):
        db.execute(f"update notify.{table} set created_at = created_at - %s::interval", [interval])


def isolate(db, isolation):
    db.execute(f"set transaction isolation level {isolation}")


def is_waiting(db, other):
    query = "select 1 from pg_stat_activity where pid = %s and wait_event_type = 'Lock'"
    return db.execute(query, [other.info.backend_pid]).fetchone()


def test_the_same_request_again_inserts_nothing_and_raises_nothing(db):
    assert [send(db), send(db), send(db)] == [1, 0, 0]
    assert count(db) == 1


MAIL = {"channel": "email", "payload": '{"subject": "s", "text": "t"}', "idempotency_key": "k"}


@pytest.mark.parametrize("first", ["Ada@EXAMPLE.org", "ada@example.org"])
@pytest.mark.parametrize("again", ["Ada@EXAMPLE.org", "ada@example.org"])
def test_a_mailbox_spelled_in_another_way_is_the_same_request(db, first, again):
    assert insert(db, **MAIL | {"recipient": first})
    assert insert(db, **MAIL | {"recipient": again}) is None


@pytest.mark.parametrize(
    "other", [{"priority": 3}, {"payload": '{"subject": "s", "text": "u"}'}, {"channel": "log"}]
)
def test_what_else_differs_makes_a_mailbox_spelled_in_another_way_another_request(db, other):
    insert(db, **MAIL | {"recipient": "Ada@EXAMPLE.org"})
    with pytest.raises(psycopg.Error, match="was used for another request"):
        insert(db, **MAIL | {"recipient": "ada@example.org"} | other)


def test_a_key_tells_nothing_of_another_producers_mailbox(db, dsn):
    theirs = insert(db, **MAIL | {"recipient": "ada@example.org", "idempotency_key": None}).id
    guess = (
        "insert into notify.notifications (id, channel, recipient, payload, idempotency_key)"
        f" values (%s, 'email', %s, '{MAIL['payload']}', 'k') on conflict do nothing"
    )
    with new_producer(db, dsn) as other:
        other.execute(guess, [theirs, "ada@example.org"])  # the key is taken, the row is not theirs
        with pytest.raises(psycopg.Error, match="was used for another request"):
            other.execute(guess, [theirs, "Ada@EXAMPLE.org"])


def test_returning_gives_no_row_for_a_repetition(db):
    assert insert(db, idempotency_key="k")
    assert insert(db, idempotency_key="k") is None


def test_another_request_with_the_key_is_refused_by_name(db):
    send(db)
    with pytest.raises(psycopg.Error) as caught:
        send(db, recipient="another")
    diag = caught.value.diag
    assert (diag.sqlstate, diag.constraint_name) == ("ND004", "idempotency_key_reused")
    assert (diag.table_name, diag.column_name) == ("notifications", "idempotency_key")
    assert diag.message_hint
    assert count(db) == 1


@pytest.mark.parametrize(
    "columns",
    [
        {"recipient": "another"},
        {"payload": '{"a": 1}'},
        {"priority": 1},
        {"max_attempts": 3},
        {"reference": "x"},
        {"send_at": "2100-01-01"},
        {"is_test": True},
        {"channel": "webhook", "recipient": "https://a.example/"},
    ],
)
def test_whatever_differs_makes_it_another_request(db, columns):
    if "send_at" in columns:
        columns = {"send_at": ago(db, "-1 hour")}
    insert(db, idempotency_key="k")
    with pytest.raises(psycopg.Error) as caught:
        insert(db, idempotency_key="k", **columns)
    assert caught.value.sqlstate == "ND004"


def test_neither_the_trace_nor_the_wish_to_hear_the_end_makes_it_another_request(db):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert insert(db, idempotency_key="k", traceparent=trace)
    assert insert(db, idempotency_key="k", notify_on_end=True) is None
    assert (count(db), keys(db)) == (1, ["k"])


def test_the_order_of_members_and_the_spelling_of_numbers_make_no_difference(db):
    assert insert(db, idempotency_key="k", payload='{"a": 1, "b": 2}')
    assert insert(db, idempotency_key="k", payload='{"b": 2.0, "a": 1e0}', priority=2) is None


def test_one_statement_with_the_same_key_twice_counts_once(db):
    values = "('log', 'r', '1', 'k')"
    query = (
        "insert into notify.notifications (channel, recipient, payload, idempotency_key)"
        f" values {values}, {values}, ('log', 'r', '1', 'other')"
    )
    assert db.execute(query).rowcount == 2
    assert (count(db), keys(db)) == (2, ["k", "other"])


def test_copy_takes_keys_and_drops_what_was_here(db):
    columns = "channel, recipient, payload, idempotency_key"
    for _ in range(2):
        with db.cursor().copy(f"copy notify.notifications ({columns}) from stdin") as copy:
            for n in range(100):
                copy.write_row(("log", "r", "{}", f"k{n % 50}"))
    assert count(db) == 50


def test_a_key_is_taken_in_the_same_transaction(db):
    with pytest.raises(ZeroDivisionError), db.transaction():
        send(db)
        raise ZeroDivisionError
    assert keys(db) == []
    assert send(db) == 1


def test_a_refused_row_uses_up_no_key(db):
    with pytest.raises(psycopg.errors.CheckViolation):
        insert(db, channel="fax", idempotency_key="k")
    assert keys(db) == []
    assert send(db) == 1


@pytest.mark.parametrize("key", ["", "k" * 256, "a\nb", "\u0301" * 1000])
def test_a_key_that_is_none_is_refused_by_name(db, key):
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        insert(db, idempotency_key=key)
    assert caught.value.diag.column_name == "idempotency_key"
    assert keys(db) == []


@pytest.mark.parametrize("key", ["k", "k" * 255, "Ünïcode ✓", "\u00e9" * 255, "null"])
def test_a_key_within_bounds_is_taken(db, key):
    assert [send(db, key), send(db, key)] == [1, 0]


def test_what_passed_the_rules_once_is_a_repetition_when_they_refuse_it_now(db):
    soon = ago(db, "-300 milliseconds")
    assert insert(db, idempotency_key="k", expires_at=soon)
    wait_for(lambda: ago(db, "0") > soon)
    assert insert(db, idempotency_key="k", expires_at=soon) is None
    with pytest.raises(psycopg.errors.CheckViolation):
        insert(db, idempotency_key="k", expires_at=soon, reference="another request")
    with pytest.raises(psycopg.errors.CheckViolation):
        insert(db, idempotency_key="k2", expires_at=soon)


FOREIGN = """
create function public.theirs() returns trigger language plpgsql as $$ begin {} end $$;
create trigger {} before insert on notify.notifications
for each row execute function public.theirs()
"""


@pytest.mark.parametrize("name", ["a", "b", "zz", '"~a"'])
def test_a_row_that_somebodys_trigger_drops_leaves_no_key(db, name):
    db.execute(FOREIGN.format("return null;", name))
    assert send(db) == 0
    assert keys(db) == []


@pytest.mark.parametrize("event", ["insert", "update"])
def test_a_trigger_that_keeps_the_key_is_an_error_and_no_endless_loop(db, event):
    send(db)
    age(db, "25:00:00")
    db.execute(
        "create function public.theirs() returns trigger language plpgsql as"
        f" 'begin return null; end'; create trigger a before {event} on notify.idempotency_keys"
        " for each row execute function public.theirs(); set statement_timeout = '10 s'"
    )
    with pytest.raises(psycopg.Error) as caught:
        send(db)
    assert caught.value.sqlstate == "ND007"
    assert count(db) == 1


@pytest.mark.parametrize("name", ["a", "zz"])
def test_somebodys_trigger_may_change_the_row(db, name):
    db.execute(FOREIGN.format("new.reference := 'theirs'; return new;", name))
    assert [send(db), send(db)] == [1, 0]


def test_a_second_transaction_waits_for_the_first_and_drops_its_row(db, other_db):
    with db.transaction():
        send(db)
        results = []
        thread = Thread(target=lambda: results.append(send(other_db)))
        thread.start()
        wait_for(lambda: is_waiting(db, other_db))
        assert results == []
    thread.join()
    assert results == [0]
    assert count(db) == 1


def test_a_second_transaction_takes_over_when_the_first_rolls_back(db, other_db):
    results = []
    thread = Thread(target=lambda: results.append(send(other_db)))
    with pytest.raises(ZeroDivisionError), db.transaction():
        send(db)
        thread.start()
        wait_for(lambda: is_waiting(db, other_db))
        raise ZeroDivisionError
    thread.join()
    assert results == [1]
    assert count(db) == 1


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_a_snapshot_that_is_too_old_to_see_the_first_fails_and_makes_no_second(
    db, other_db, isolation
):
    with pytest.raises(psycopg.errors.SerializationFailure), other_db.transaction():
        isolate(other_db, isolation)
        other_db.execute("select from notify.notifications limit 1")
        send(db)
        send(other_db)
    assert count(db) == 1
    with other_db.transaction():
        isolate(other_db, isolation)
        assert send(other_db) == 0


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_keys_are_taken_at_every_isolation(db, isolation):
    with db.transaction():
        isolate(db, isolation)
        assert [send(db), send(db), send(db, "other")] == [1, 0, 1]


def test_serializable_transactions_with_keys_of_their_own_do_not_refuse_each_other(db, other_db):
    with db.transaction(), other_db.transaction():
        for session in (db, other_db):
            isolate(session, "serializable")
        for n in range(10):  # from the sixth on, the kept plan
            assert [send(db, f"a{n}"), send(other_db, f"b{n}")] == [1, 1]
    assert len(keys(db)) == count(db) == 20


def turn_names(db):
    """Move the keys to where those of before the last turn are."""
    db.execute("insert into notify.idempotency_keys_before select * from notify.idempotency_keys")
    db.execute("truncate notify.idempotency_keys")


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_a_key_of_before_the_turn_is_known_at_every_isolation(db, isolation):
    send(db)
    turn_names(db)
    with db.transaction():
        isolate(db, isolation)
        assert [send(db), send(db), send(db, "other"), send(db)] == [0, 0, 1, 0]
    assert (count(db), keys(db)) == (2, ["other"])
    with pytest.raises(psycopg.Error) as caught, db.transaction():
        isolate(db, isolation)
        send(db, recipient="another")
    assert caught.value.sqlstate == "ND004"


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_an_old_key_of_before_the_turn_is_taken_over_at_every_isolation(db, isolation):
    send(db)
    turn_names(db)
    age(db, "25:00:00")
    with db.transaction():
        isolate(db, isolation)
        assert [send(db, recipient="another"), send(db, recipient="another")] == [1, 0]
    assert (count(db), keys(db)) == (2, ["k"])
    assert send(db, recipient="another") == 0


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_who_waits_for_a_repetition_of_before_the_turn_repeats_it_too(db, other_db, isolation):
    send(db)
    turn_names(db)
    results = []
    thread = Thread(target=lambda: results.append(send(other_db)))
    with db.transaction():
        isolate(db, isolation)
        assert send(db) == 0
        thread.start()
    thread.join()
    assert results == [0]
    assert (count(db), keys(db)) == (1, [])


def test_a_trigger_that_keeps_a_taken_key_from_being_given_back_is_an_error(db):
    send(db)
    turn_names(db)
    db.execute(
        "create function public.theirs() returns trigger language plpgsql as"
        " 'begin return null; end'; create trigger a before delete on notify.idempotency_keys"
        " for each row execute function public.theirs()"
    )
    with pytest.raises(psycopg.Error) as caught, db.transaction():
        isolate(db, "serializable")
        send(db, recipient="another")
    assert caught.value.sqlstate == "ND007"
    assert count(db) == 1


def test_a_key_older_than_the_window_may_be_used_again_without_a_turn(db):
    send(db)
    age(db, "23:59:00")
    assert send(db) == 0
    age(db, "00:02:00")
    assert [send(db, recipient="another"), send(db, recipient="another")] == [1, 0]
    assert count(db) == 2


def test_two_who_use_an_old_key_again_at_once_make_one(db, other_db):
    send(db)
    age(db, "25:00:00")
    results = []
    with db.transaction():
        assert send(db) == 1
        thread = Thread(target=lambda: results.append(send(other_db)))
        thread.start()
        wait_for(lambda: is_waiting(db, other_db))
    thread.join()
    assert results == [0]
    assert count(db) == 2


def test_the_window_is_that_of_the_settings(db):
    db.execute("update notify.settings set idempotency_window = '1 hour'")
    send(db)
    age(db, "00:59:00")
    assert send(db) == 0
    age(db, "00:02:00")
    assert send(db) == 1


def test_without_its_row_of_settings_the_window_is_a_day(db):
    db.execute("delete from notify.settings")
    send(db)
    age(db, "23:00:00")
    assert send(db) == 0
    age(db, "02:00:00")
    assert send(db) == 1


@pytest.fixture
def producer(db, dsn):
    """Give what connects as a role that may insert, and nothing else."""
    names, sessions = [], []

    def connect(name):
        name = f"{name}_{db.info.backend_pid}"
        role = Identifier(name)
        for statement in (
            "create role {} login password 'p'",
            "grant usage on schema notify to {}",
            "grant insert on notify.notifications to {}",
        ):
            db.execute(SQL(statement).format(role))
        names.append(role)
        session = psycopg.connect(dsn, user=name, password="p", autocommit=True)
        sessions.append(session)
        return session

    yield connect
    for session in sessions:
        session.close()
    for role in names:
        db.execute(SQL("drop owned by {}").format(role))
        db.execute(SQL("drop role {}").format(role))


def test_keys_of_two_producers_do_not_collide(db, producer):
    first, second = producer("first"), producer("second")
    assert [send(first), send(second), send(first), send(second)] == [1, 1, 0, 0]
    assert send(db, recipient="another") == 1
    assert count(db) == 3


def test_a_producer_reads_no_keys_and_takes_none_of_anothers(db, producer):
    send(db)
    hostile = producer("hostile")
    for attempt in (
        "select * from notify.idempotency_keys",
        "select * from notify.known_key('postgres', 'k')",
        "delete from notify.idempotency_keys",
        "insert into notify.idempotency_keys values ('postgres', 'x', 1, gen_random_uuid(), now())",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            hostile.execute(attempt)
    owner = db.info.user
    query = (
        "insert into notify.notifications (channel, recipient, payload, idempotency_key, producer)"
        " values ('log', 'r', '{\"n\": 1}', 'k', %s)"
    )
    assert hostile.execute(query, [owner]).rowcount == 1
    name = hostile.info.user
    rows = db.execute("select producer from notify.notifications order by id").fetchall()
    assert [r.producer for r in rows] == [owner, name]


def test_the_function_serves_no_table_of_somebodys_own(db, producer):
    hostile = producer("hostile")
    may_call = SQL("grant execute on function notify.take_key() to {}")  # by somebody's mistake
    db.execute(may_call.format(Identifier(hostile.info.user)))
    hostile.execute(
        "create temp table mine (id uuid, channel text, recipient text, payload jsonb,"
        " priority smallint, send_at timestamptz, expires_at timestamptz, max_attempts integer,"
        " reference text, is_test boolean, producer text, idempotency_key text,"
        " created_at timestamptz)"
    )
    hostile.execute(
        "create trigger mine before insert on mine for each row execute function notify.take_key()"
    )
    with pytest.raises(psycopg.Error, match=r"for notify\.notifications alone"):
        hostile.execute(
            "insert into mine (producer, idempotency_key, id, created_at)"
            " values ('postgres', 'k', gen_random_uuid(), now())"
        )
    assert keys(db) == []


def test_rows_without_a_key_take_none(db):
    insert(db)
    insert(db)
    assert (count(db), keys(db)) == (2, [])


def test_a_key_is_found_by_the_index_however_many_there_are(db):
    db.execute(
        "insert into notify.idempotency_keys select 'p', n::text, n, gen_random_uuid(), now()"
        " from generate_series(1, 200000) n"
    )
    for table in ("idempotency_keys", "idempotency_keys_before"):
        plan = db.execute(
            f"explain select from notify.{table} where producer = 'p' and key = '7'"
        ).fetchall()
        assert any("Index" in line[0] for line in plan), plan


def test_a_repeated_statement_costs_about_what_it_cost_first(db):
    """Whoever repeats a transaction of many rows must not wait many times as long."""
    took = []
    for _ in range(4):
        begun = perf_counter()
        db.execute(
            "insert into notify.notifications (channel, recipient, payload, idempotency_key)"
            " select 'log', 'r', '1', 'k' || i from generate_series(1, 3000) i"
        )
        took.append(perf_counter() - begun)
    assert count(db) == 3000
    assert min(took[1:]) < 4 * took[0]  # a plan for each repetition made it 7 to 10 times


def test_a_large_statement_keeps_no_copy_of_its_rows(db):
    """A million payloads in one INSERT must not all be in memory at once."""
    db.execute(
        "create function pg_temp.used() returns bigint language plpgsql as 'begin return"
        " (select sum(used_bytes) from pg_backend_memory_contexts); end'"
    )
    db.execute(
        "insert into notify.notifications (channel, recipient, payload, idempotency_key)"
        " select 'log', 'r', case when i in (1000, 2000) then to_jsonb(pg_temp.used())"
        " else to_jsonb(repeat('x', 10000)) end, 'k' || i from generate_series(1, 2000) i"
    )
    query = "select payload::bigint as n from notify.notifications where"
    halfway, end = db.execute(f"{query} jsonb_typeof(payload) = 'number' order by id").fetchall()
    assert end.n - halfway.n < 1_000_000  # it was 10 MB
