"""Other systems' INSERTs: any client, any transaction, no more rights than it needs."""

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.ledger import claim, row, settle

INSERT = "insert into notifications (channel, recipient, payload) values "


def count(db):
    return db.execute("select count(*) as n from notify.notifications").fetchone().n


def test_three_columns_are_enough(db):
    id = db.execute(INSERT + "('log', 'r', '{\"a\": 1}') returning id").fetchone().id
    got = row(db, id)
    assert (got.status, got.priority, got.attempt, got.max_attempts, got.payload) == (
        "queued",
        2,
        0,
        None,
        {"a": 1},
    )
    assert got.due_at == got.created_at
    assert id.version == 7


def test_it_is_delivered_with_the_producers_commit_and_not_before(db, other_db):
    with other_db.transaction():
        other_db.execute(INSERT + "('log', 'r', '1')")
        assert claim(db) == []
    assert len(settle(db, claim(db))) == 1


def test_a_rollback_leaves_nothing(db):
    with pytest.raises(ZeroDivisionError), db.transaction():
        db.execute(INSERT + "('log', 'r', '1')")
        raise ZeroDivisionError
    assert count(db) == 0


def test_times_are_when_it_was_inserted_and_not_when_its_transaction_began(db):
    with db.transaction():
        began = db.execute("select now() as t, pg_sleep(0.002)").fetchone().t
        [got] = db.execute(INSERT + "('log', 'r', '1') returning created_at, due_at")
        assert began < got.created_at == got.due_at


def test_one_bad_row_of_many_refuses_the_statement(db):
    with pytest.raises(psycopg.errors.CheckViolation):
        db.execute(INSERT + "('log', 'a', '1'), ('fax', 'b', '1'), ('log', 'c', '1')")
    assert count(db) == 0


def test_the_refusal_reads_like_a_sentence_in_psql(db):
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        db.execute(INSERT + "('fax', 'b', '1')")
    assert str(caught.value).splitlines()[:2] == [
        'notifications: channel is refused by constraint "channel_is_known"',
        "HINT:  Use webhook, email or log.",
    ]


def test_insert_select_of_ten_thousand(db):
    db.execute(
        "insert into notifications (channel, recipient, payload, priority)"
        " select 'log', 'user' || n, jsonb_build_object('n', n), n % 4"
        " from generate_series(1, 10000) n"
    )
    assert count(db) == 10_000
    assert len(settle(db, claim(db, limit=1000))) == 1000


def test_copy(db):
    with db.cursor().copy(
        "copy notifications (channel, recipient, payload, reference) from stdin"
    ) as copy:
        for n in range(500):
            copy.write_row(("log", f"user{n}", "{}", f"ref{n}"))
    assert count(db) == 500
    assert len({g.id for g in claim(db, limit=500)}) == 500


def test_copy_of_a_bad_row_names_rule_and_line(db):
    columns = "channel, recipient, payload"
    with (
        pytest.raises(psycopg.errors.CheckViolation) as caught,
        db.cursor().copy(f"copy notifications ({columns}) from stdin") as copy,
    ):
        copy.write_row(("log", "r", "{}"))
        copy.write_row(("log", "", "{}"))
    assert caught.value.diag.constraint_name == "recipient_is_1_to_2048_printable_characters"
    assert "line 2" in (caught.value.diag.context or "")


def test_prepared_statements(db):
    for n in range(20):
        db.execute(INSERT + "(%s, %s, %s)", ("log", f"r{n}", "{}"), prepare=True)
    assert count(db) == 20


def test_a_serializable_transaction(db):
    with db.transaction():
        db.execute("set transaction isolation level serializable")
        db.execute(INSERT + "('log', 'r', '1')")
    assert count(db) == 1


@pytest.fixture
def producer(db, dsn):
    """A session of a role that may insert notifications, and nothing else."""
    name = f"producer_{db.info.backend_pid}"
    role = Identifier(name)
    for statement in (
        "create role {} login password 'p'",
        "grant usage on schema notify to {}",
        "grant insert on notify.notifications to {}",
    ):
        db.execute(SQL(statement).format(role))
    with psycopg.connect(dsn, user=name, password="p", autocommit=True) as session:
        yield session
    db.execute(SQL("drop owned by {}").format(role))
    db.execute(SQL("drop role {}").format(role))


def test_a_role_needs_usage_and_insert_and_no_more(db, producer):
    producer.execute(INSERT + "('log', 'r', '1')")
    assert len(settle(db, claim(db))) == 1
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        producer.execute("select * from notifications")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        producer.execute("select * from notify.claim(null, 1, 'w:1', '1 min', 1, '1 min')")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        producer.execute("update notifications set status = 'sent'")


def test_a_refusal_reaches_such_a_role_too(producer):
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        producer.execute(INSERT + "('fax', 'r', '1')")
    assert caught.value.diag.message_hint == "Use webhook, email or log."


def test_such_a_role_rings_an_armed_doorbell(db, producer):
    db.execute("listen notify_wake")
    db.execute("select notify.arm(1000)")
    producer.execute(INSERT + "('log', 'r', '1')")
    assert [n.payload for n in db.notifies(timeout=60, stop_after=1)] == [""]


def test_a_table_of_that_name_that_was_there_first_is_left_alone(db, dsn):
    db.execute("create table public.notifications (ours integer)")
    with psycopg.connect(dsn, autocommit=True) as session:
        session.execute("insert into notifications (ours) values (1)")
        session.execute(
            "insert into notify.notifications (channel, recipient, payload)"
            " values ('log', 'r', '1')"
        )
    assert count(db) == 1
