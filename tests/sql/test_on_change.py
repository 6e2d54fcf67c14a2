"""notify.on_change(): who may make a watch, and what is refused then and there."""

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.producers import producer
from tests.sql.watching import ORDERS, ops, told, watch

TRIGGERS = "select tgname from pg_trigger where tgrelid = 'orders'::regclass order by tgname"


@pytest.fixture
def orders(db):
    db.execute(ORDERS)
    db.execute("insert into orders values (1, 'open', 5)")


@pytest.fixture
def shop(db, dsn, orders):
    with producer(db, dsn, "shop") as session:
        yield session


def refused(db, constraint, table="orders", **options):
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        watch(db, table, **options)
    assert caught.value.diag.constraint_name == constraint
    assert caught.value.diag.message_hint
    assert db.execute("select count(*) as n from notify.watches").fetchone().n == 0


def test_four_arguments_are_enough(db, orders):
    db.execute("select notify.on_change('orders', '{update}', 'log', 'r')")
    db.execute("update orders set total = 6")
    assert ops(db) == ["update"]


def test_a_watch_is_one_trigger_before_and_one_for_each_event(db, orders):
    id = watch(db, events=["update", "insert"])
    assert [t.tgname for t in db.execute(TRIGGERS)] == [
        f"notify_watch_{id}_insert", f"notify_watch_{id}_open", f"notify_watch_{id}_update",
    ]  # fmt: skip


def test_it_takes_the_tables_trigger_right_and_nothing_else_of_it(db, shop):
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied for table"):
        watch(shop)
    assert db.execute("table notify.kept_watches").fetchall() == []
    db.execute(SQL("grant trigger on orders to {}").format(Identifier(shop.info.user)))
    watch(shop)
    db.execute("update orders set total = 6")
    assert [t.producer for t in told(db)] == ["shop"]


def test_it_takes_the_right_to_send(db, dsn, shop):
    db.execute(SQL("grant trigger on orders to {}").format(Identifier(shop.info.user)))
    db.execute("select notify.revoke_producer(%s)", [shop.info.user])
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="schema notify"):
        watch(shop)
    db.execute("grant usage on schema notify to public")
    db.execute("grant execute on all functions in schema notify to public")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="may not send"):
        watch(shop)


@pytest.mark.parametrize(
    ("make", "table"),
    [
        ("create view v as select * from orders", "v"),
        ("create materialized view v as select * from orders", "v"),
        ("create temporary table v (id int primary key)", "v"),
        ("create foreign data wrapper w; create server s foreign data wrapper w;"
         "create foreign table v (id int) server s", "v"),
        ("create sequence v", "v"),
        ("create type v as (id int)", "v"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused(db, orders, make, table):
    db.execute(make)
    refused(db, "watched_is_a_table", table)


@pytest.mark.parametrize("table", ["notify.notifications", "notify.audit", "pg_catalog.pg_class"])
def test_tables_of_the_service_and_the_server_are_refused(db, table):
    refused(db, "watched_is_a_table_of_yours", table)


def test_a_table_with_heirs_is_refused(db, orders):
    db.execute("create table heirs () inherits (orders)")
    refused(db, "watched_has_no_heirs")


def test_a_table_without_a_primary_key_is_refused(db):
    db.execute("create table orders (id int unique not null)")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="has no primary key"):
        watch(db)


@pytest.mark.parametrize(
    "events",
    [[], None, ["truncate"], ["insert", "truncate"], ["insert", "insert"], [None], ["INSERT"], [""],
     ["insert; drop table orders"], ["insert or update"], [["insert", "update"]]],
)  # fmt: skip
def test_only_the_three_events_are_known(db, orders, events):
    refused(db, "events_are_known", events=events)


@pytest.mark.parametrize("columns", [["gone"], ["id", "gone"], [None], ["ctid"], ["ID"]])
def test_columns_that_do_not_exist_are_refused(db, orders, columns):
    refused(db, "columns_exist", columns=columns)


def test_no_columns_are_refused(db, orders):
    refused(db, "columns_are_named", columns=[])


def test_a_virtual_generated_column_is_refused(db):
    if db.info.server_version < 180000:
        db.execute("create table before_postgresql_18 ()")
        return
    db.execute("create table orders (id int primary key, v int generated always as (id) virtual)")
    refused(db, "columns_exist", columns=["v"])


def test_on_error_is_fail_or_skip(db, orders):
    refused(db, "on_error_is_known", on_error="ignore")
    refused(db, "on_error_is_known", on_error=None)


@pytest.mark.parametrize(
    ("constraint", "channel", "recipient"),
    [
        ("channel_is_known", "fax", "r"),
        ("webhook_recipient_is_a_url", "webhook", "example.org"),
        ("recipient_is_1_to_2048_printable_characters", "log", ""),
        ("watch_channel_is_no_mail", "email", "a@b.example"),
    ],
)
def test_what_an_insert_would_refuse_is_refused(db, orders, constraint, channel, recipient):
    refused(db, constraint, channel=channel, recipient=recipient)


@pytest.mark.parametrize("missing", ["channel", "recipient"])
def test_a_channel_and_a_recipient_are_needed(db, orders, missing):
    with pytest.raises(psycopg.errors.NotNullViolation):
        watch(db, **{missing: None})


@pytest.mark.parametrize(
    ("condition", "error"),
    [
        ("new.gone = 1", psycopg.errors.UndefinedColumn),
        ("total > 1", psycopg.errors.AmbiguousColumn),
        ("new.total", psycopg.errors.DatatypeMismatch),
        ("new.total >", psycopg.errors.SyntaxError),
        ("", psycopg.errors.SyntaxError),
        ("true) or (", psycopg.errors.SyntaxError),
        ("true); drop table orders; select (true", psycopg.Error),
        ("new.id in (select id from public.gone)", psycopg.errors.UndefinedTable),
        ("nowhere(new.id)", psycopg.errors.UndefinedFunction),
        ("count(*) > 1", psycopg.errors.GroupingError),
        ("1 / 0 = 1", psycopg.errors.DivisionByZero),
        ("new.status like $1 and $3 = 1", psycopg.errors.UndefinedParameter),
    ],
)
def test_a_wrong_condition_is_refused_then_and_there(db, orders, condition, error):
    with pytest.raises(error):
        watch(db, condition=condition)
    assert db.execute("select count(*) as n from orders").fetchone().n == 1
    assert db.execute(TRIGGERS).fetchall() == []


@pytest.mark.parametrize("reference", ["gone", "new.gone", "new.id ||"])
def test_a_wrong_reference_is_refused_then_and_there(db, orders, reference):
    with pytest.raises(psycopg.ProgrammingError):
        watch(db, reference=reference)


def test_a_condition_may_name_other_schemas(db, orders):
    db.execute("create function big(numeric) returns boolean language sql return $1 > 5")
    with pytest.raises(psycopg.errors.UndefinedFunction):
        watch(db, condition="big(new.total)")
    watch(db, condition="public.big(new.total)")
    db.execute("update orders set total = 6")
    assert ops(db) == ["update"]


def test_a_rolled_back_watch_leaves_nothing(db, orders):
    with db.transaction(force_rollback=True):
        watch(db)
    db.execute("update orders set total = 6")
    assert told(db) == []
    assert db.execute(TRIGGERS).fetchall() == []


def test_its_view_shows_a_producer_its_own_and_the_owner_all(db, dsn, shop):
    db.execute(SQL("grant trigger on orders to {}").format(Identifier(shop.info.user)))
    mine, other = watch(shop, condition="new.total > 1"), watch(db)
    assert [w.id for w in shop.execute("select id from notify.watches")] == [mine]
    assert [w.id for w in db.execute("select id from notify.watches order by id")] == [mine, other]
    row = shop.execute("select * from notify.watches").fetchone()
    assert (row.producer, row.made_by, row.relation, row.events, row.channel, row.recipient) == (
        "shop", shop.info.user, "orders", ["insert", "update", "delete"], "log", "r",
    )  # fmt: skip
    assert (row.columns, row.condition, row.reference, row.on_error, row.faults) == (
        None, "new.total > 1", None, "fail", 0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("event", "words"),
    [("insert", "exists (select from old_rows)"), ("delete", "exists (select from new_rows)")],
)
def test_a_condition_sees_only_the_rows_that_its_event_has(db, event, words):
    db.execute(ORDERS)
    with pytest.raises(psycopg.errors.UndefinedTable):
        watch(db, events=[event], condition=words)


@pytest.mark.parametrize("reference", ["unnest(array[1, 2])", "generate_series(1, new.id)"])
def test_a_reference_that_is_a_set_is_refused(db, reference):
    db.execute(ORDERS)
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="set-returning"):
        watch(db, reference=reference)
