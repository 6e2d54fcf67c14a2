"""What a watch tells of each way to change a table, and with whose rights."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.rows import namedtuple_row
from psycopg.sql import SQL, Identifier

from service.ledger.migrate import migrate
from service.ledger.schema import current_migration
from tests.producers import producer, role
from tests.sql.test_migrate import yoyo
from tests.sql.watching import ORDERS, ops, told, watch


@pytest.fixture
def orders(db):
    db.execute(ORDERS)
    db.execute("insert into orders values (1, 'open', 5), (2, 'open', 6), (3, 'paid', 7)")


@pytest.fixture
def writer(db, dsn, orders):
    """A session that may change orders, and has no right of ours."""
    with role(db) as user:
        db.execute(
            SQL("grant select, insert, update, delete on orders to {}").format(Identifier(user))
        )
        with psycopg.connect(
            dsn, user=user, password="p", autocommit=True, row_factory=namedtuple_row
        ) as session:
            yield session


def new_one(db, columns, values, **options):
    """Tell one inserted row of a table of these columns; what was told as `new`."""
    db.execute(f"create table things (id int primary key, {columns})")
    watch(db, "things", **options)
    db.execute(f"insert into things values (1, {values})")
    [row] = told(db)
    return row.new


def test_an_insert_an_update_and_a_delete_are_told(db, orders):
    watch(db, reference="id")
    before = db.execute("select clock_timestamp() as t").fetchone().t
    db.execute("insert into orders values (4, 'open', 9.50)")
    db.execute("update orders set status = 'paid' where id = 4")
    db.execute("delete from orders where id = 4")
    first = {"id": 4, "status": "open", "total": 9.5}
    last = {"id": 4, "status": "paid", "total": 9.5}
    assert [(t.op, t.old, t.new, t.reference) for t in told(db)] == [
        ("insert", None, first, "4"), ("update", first, last, "4"), ("delete", last, None, "4"),
    ]  # fmt: skip
    [payload, *_] = [t.payload for t in told(db)]
    assert set(payload) == {"table", "op", "at", "old", "new"}
    assert payload["table"] == "public.orders"
    assert before < datetime.fromisoformat(payload["at"]) < datetime.now(UTC) + timedelta(1)


def test_only_the_events_that_were_named_are_told(db, orders):
    watch(db, events=["delete"])
    db.execute("insert into orders values (4)")
    db.execute("update orders set total = 1")
    db.execute("delete from orders where id = 4")
    assert ops(db) == ["delete"]


def test_one_statement_is_one_insert_of_all_its_rows(db, orders):
    watch(db)
    db.execute("create table counted (n int)")
    db.execute(
        "create function count_inserts() returns trigger language plpgsql as"
        " 'begin insert into public.counted select 1; return null; end';"
        "create trigger counts after insert on notify.notifications"
        " execute function count_inserts()"
    )
    db.execute("update orders set total = total + 1")
    assert ops(db) == ["update"] * 3
    assert len(db.execute("table counted").fetchall()) == 1


def test_a_statement_that_changes_no_row_tells_nothing(db, orders):
    watch(db)
    db.execute("update orders set total = 1 where false")
    db.execute("delete from orders where id = 77")
    db.execute("insert into orders select 1 where false")
    assert told(db) == []


def test_more_than_a_hundred_thousand_rows_come_in_several_inserts(db, orders):
    watch(db, columns=["id"])
    db.execute("set notify.wake = off")
    db.execute("insert into orders select i from generate_series(11, 100025) i")
    count = "select count(*) as n, count(distinct payload -> 'new' -> 'id') as ids"
    assert db.execute(count + " from notify.notifications").fetchone() == (100_015, 100_015)


class TestColumnsConditionReference:
    def test_only_the_chosen_columns_are_told(self, db, orders):
        watch(db, columns=["total", "id"])
        db.execute("update orders set total = 1 where id = 1")
        [row] = told(db)
        assert (row.old, row.new) == ({"id": 1, "total": 5}, {"id": 1, "total": 1})

    def test_an_update_that_leaves_the_chosen_columns_is_left_out(self, db, orders):
        watch(db, columns=["status"])
        db.execute("update orders set total = total + 1")
        db.execute("update orders set status = status")
        assert told(db) == []
        db.execute("update orders set status = 'paid'")
        assert len(told(db)) == 2

    def test_a_null_that_becomes_a_value_is_a_change_and_a_null_that_stays_is_none(
        self, db, orders
    ):
        watch(db, columns=["status"])
        db.execute("update orders set status = null where id = 1")
        db.execute("update orders set status = null where id = 1")
        db.execute("update orders set status = '' where id = 1")
        assert [(t.old, t.new) for t in told(db)] == [
            ({"status": "open"}, {"status": None}), ({"status": None}, {"status": ""}),
        ]  # fmt: skip

    def test_json_has_no_equality_and_is_compared_all_the_same(self, db):
        db.execute("create table docs (id int primary key, doc json, place point)")
        db.execute("insert into docs values (1, '{\"a\": 1}', '(1,2)')")
        watch(db, "docs")
        db.execute("update docs set doc = doc")
        assert told(db) == []
        db.execute("update docs set doc = '{\"a\": 2}'")
        assert ops(db) == ["update"]

    @pytest.mark.parametrize(
        ("condition", "ids"),
        [
            ("new.total > 6", [2, 3]),
            ("new.status = 'paid' and old.status is distinct from 'paid'", []),
            ("old.total < new.total", [1, 2, 3]),
            ("new.total > 6 -- a comment", [2, 3]),
            ("null", []),
            ("old is distinct from new", [1, 2, 3]),
            ("new.id in (select 2)", [2]),
        ],
    )
    def test_a_condition_chooses_rows(self, db, orders, condition, ids):
        watch(db, condition=condition)
        db.execute("update orders set total = total + 0.5")
        assert sorted(t.new["id"] for t in told(db)) == ids

    def test_old_is_null_in_an_insert_and_new_in_a_delete(self, db, orders):
        watch(db, condition="new.status = 'paid' and old.status is distinct from 'paid'")
        watch(db, condition="new.id is null", recipient="gone")
        db.execute("insert into orders values (4, 'paid', 1), (5, 'open', 1)")
        db.execute("delete from orders where id = 5")
        assert [(t.op, t.recipient) for t in told(db)] == [("insert", "r"), ("delete", "gone")]

    def test_a_reference_is_a_column_or_an_expression(self, db, orders):
        watch(db, events=["update"], reference="'order-' || new.id || '-' || old.total")
        watch(db, events=["update"], reference="status", recipient="column")
        db.execute("update orders set total = 8, status = 'x' where id = 1")
        assert {t.reference for t in told(db)} == {"order-1-5.00", "x"}


class TestPairing:
    def test_a_changed_key_is_a_delete_and_an_insert(self, db, orders):
        watch(db, events=["update"], reference="id")
        db.execute("update orders set id = 9 where id = 1")
        assert sorted((t.op, t.reference) for t in told(db)) == [("delete", "1"), ("insert", "9")]

    def test_swapped_keys_are_updates_of_each(self, db):
        db.execute("create table pairs (id int, name text, primary key (id) deferrable)")
        db.execute("insert into pairs values (1, 'one'), (2, 'two')")
        watch(db, "pairs")
        db.execute("update pairs set id = 3 - id")
        assert sorted((t.op, t.old["name"], t.new["name"]) for t in told(db)) == [
            ("update", "one", "two"), ("update", "two", "one"),
        ]  # fmt: skip

    def test_a_key_of_several_columns_pairs(self, db):
        db.execute("create table seats (hall text, seat uuid, who text, primary key (seat, hall))")
        db.execute("insert into seats select h, md5(h)::uuid from unnest('{a,b,c}'::text[]) h")
        watch(db, "seats", reference="new.hall")
        db.execute("update seats set who = hall")
        assert [t.reference for t in told(db)] == [t.new["who"] for t in told(db)]
        assert ops(db) == ["update"] * 3

    def test_a_key_whose_operators_are_in_another_schema_pairs(self, db):
        db.execute("create schema ext; create extension citext schema ext")
        db.execute("create table names (name ext.citext primary key, n int)")
        db.execute("insert into names values ('A', 1)")
        watch(db, "names")
        db.execute("update names set name = 'a'")
        [row] = told(db)
        assert (row.op, row.old["name"], row.new["name"]) == ("update", "A", "a")

    @pytest.mark.parametrize("key", ["name", "name, n", "n, name"])
    def test_whoever_changes_the_table_needs_not_the_schema_of_the_keys_operator(
        self, db, orders, writer, key
    ):
        db.execute("create schema ext; create extension citext schema ext")
        db.execute(f"create table names (name ext.citext, n int, v int, primary key ({key}))")
        db.execute("grant all on names to public; insert into names values ('A', 1), ('b', 2)")
        watch(db, "names")
        writer.execute("update names set name = upper(name::text), v = 3")
        assert [(t.op, t.old["name"], t.new["name"]) for t in told(db)] == [
            ("update", "A", "A"), ("update", "b", "B"),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "of", ['text collate "C"', "date", "numeric", "inet", "char(3)", "bytea", "int[]", "uuid"]
    )
    def test_a_key_of_any_type_pairs(self, db, of):
        value = {"date": "2026-01-01", "inet": "::1", "int[]": "{1}", "numeric": "1.0",
                 "uuid": "00000000-0000-0000-0000-000000000001"}.get(of, "ab")  # fmt: skip
        db.execute(f"create table keyed (k {of} primary key, n int)")
        db.execute("insert into keyed values (%s, 1)", [value])
        watch(db, "keyed")
        db.execute("update keyed set n = 2")
        assert ops(db) == ["update"]


class TestWaysToChange:
    def test_insert_on_conflict_is_an_insert_or_an_update(self, db, orders):
        watch(db)
        db.execute(
            "insert into orders values (3, 'new', 1), (4, 'new', 1)"
            " on conflict (id) do update set status = excluded.status"
        )
        assert sorted((t.op, t.new["id"]) for t in told(db)) == [("insert", 4), ("update", 3)]

    def test_insert_on_conflict_do_nothing_tells_what_came(self, db, orders):
        watch(db)
        db.execute("insert into orders values (3, 'new', 1), (4, null, 1) on conflict do nothing")
        assert [(t.op, t.new["id"]) for t in told(db)] == [("insert", 4)]

    def test_merge_is_told_by_what_it_did(self, db, orders):
        watch(db)
        db.execute(
            "merge into orders o using (values (1), (2), (4)) v(id) on o.id = v.id"
            " when matched and o.id = 1 then delete when matched then update set total = 0"
            " when not matched then insert values (v.id)"
        )
        assert Counter(ops(db)) == {"insert": 1, "update": 1, "delete": 1}

    def test_copy_is_an_insert(self, db, orders):
        watch(db)
        with db.cursor() as cursor, cursor.copy("copy orders from stdin") as copy:
            copy.write("7\topen\t1\n8\topen\t2\n")
        assert [t.new["id"] for t in told(db)] == [7, 8]

    def test_truncate_tells_nobody(self, db, orders):
        watch(db)
        db.execute("truncate orders")
        assert told(db) == []

    def test_statements_within_one_are_told_each(self, db, orders):
        watch(db)
        db.execute(
            "with gone as (delete from orders where id = 1 returning *)"
            " insert into orders select 10 + id from gone"
        )
        assert sorted(ops(db)) == ["delete", "insert"]

    def test_cascades_are_told_of_the_table_that_they_change(self, db, orders):
        db.execute(
            "create table items (id int primary key,"
            " order_id int references orders on delete cascade)"
        )
        db.execute("insert into items values (1, 1), (2, 1), (3, 2)")
        watch(db, "items")
        db.execute("delete from orders where id = 1")
        assert [(t.op, t.old["id"]) for t in told(db)] == [("delete", 1), ("delete", 2)]

    @pytest.fixture
    def parents(self, db):
        db.execute("create table parents (id int primary key); insert into parents values (1)")

    @pytest.mark.parametrize("action", ["set null", "set default"])
    def test_a_row_that_cascades_change_twice_is_told_each_time(self, db, parents, action):
        db.execute(
            f"create table kids (id int primary key, a int references parents on delete {action},"
            f" b int references parents on delete {action});"
            "insert into kids values (1, 1, 1), (2, 1, 1)"
        )
        watch(db, "kids", condition="to_jsonb(new) - 'id' - 'a' - 'b' = '{}'")
        db.execute("delete from parents")
        kids = [{"id": 1, "a": 1, "b": 1}, {"id": 2, "a": 1, "b": 1}]
        steps = [(kid, kid | {"a": None}) for kid in kids]
        steps += [(new, new | {"b": None}) for _, new in steps]
        seen = [(t.old, t.new) for t in told(db)]
        assert len(seen) == len(steps)
        assert all(step in seen for step in steps)

    def test_a_row_that_its_statement_and_a_cascade_change_is_told_of_both(self, db, parents):
        db.execute(
            "create table kids (id int primary key, n int,"
            " a int references parents on delete set null); insert into kids values (1, 0, 1)"
        )
        watch(db, "kids", columns=["n", "a"])
        db.execute("with one as (update kids set n = 1) delete from parents")
        assert [(t.old, t.new) for t in told(db)] == [
            ({"n": 0, "a": 1}, {"n": 1, "a": 1}), ({"n": 1, "a": 1}, {"n": 1, "a": None}),
        ]  # fmt: skip

    def test_a_key_that_cascades_change_is_told_as_it_was_and_as_it_is(self, db, parents):
        db.execute(
            "create table kids (k int primary key references parents on update cascade,"
            " b int references parents on update cascade); insert into kids values (1, 1)"
        )
        watch(db, "kids")
        db.execute("update parents set id = 2")
        assert sorted((t.op, t.old, t.new) for t in told(db)) == [
            ("delete", {"k": 1, "b": 1}, None), ("insert", None, {"k": 2, "b": 2}),
        ]  # fmt: skip

    @pytest.mark.parametrize("action", ["no action", "set null"])
    def test_a_row_that_is_not_there_is_null_as_a_whole(self, db, parents, action):
        db.execute(
            f"create table kids (id int primary key, a int references parents on delete {action});"
            "insert into kids values (1, 1)"
        )
        watch(db, "kids", condition="new is not distinct from null or to_jsonb(old) is null")
        db.execute("update kids set id = 2")
        assert sorted(ops(db)) == ["delete", "insert"]

    def test_columns_with_names_of_ours_are_no_hindrance(self, db, parents):
        db.execute(
            'create table kids (id int primary key, "notify nth" int, "notify turn_" int,'
            " a int references parents on delete set null); insert into kids values (1, 5, 6, 1)"
        )
        watch(db, "kids")
        db.execute("delete from parents")
        [one] = told(db)
        assert one.new == {"id": 1, "notify nth": 5, "notify turn_": 6, "a": None}

    def test_a_foreign_key_that_came_after_the_watch_counts(self, db, parents):
        db.execute("create table kids (id int primary key, a int, b int)")
        db.execute("insert into kids values (1, 1, 1)")
        watch(db, "kids")
        for column in "ab":
            db.execute(
                f"alter table kids add foreign key ({column}) references parents on update cascade"
            )
        db.execute("update parents set id = 2")
        assert [t.new for t in told(db)] == [{"id": 1, "a": 2, "b": 1}, {"id": 1, "a": 2, "b": 2}]

    def test_rows_that_a_before_trigger_changes_are_told_as_they_are_kept(self, db, orders):
        db.execute(
            "create function raised() returns trigger language plpgsql as"
            " 'begin new.total := 99; return new; end';"
            "create trigger a before insert on orders for each row execute function raised()"
        )
        watch(db)
        db.execute("insert into orders values (4, 'x', 1)")
        assert [t.new["total"] for t in told(db)] == [99]

    def test_a_trigger_that_changes_the_table_again_is_told_as_well(self, db, orders):
        watch(db, events=["insert", "update"])
        db.execute(
            "create function again() returns trigger language plpgsql as"
            " 'begin insert into public.orders values (new.id + 10);"
            " update public.orders set total = new.id where id = 1; return null; end';"
            "create trigger a after insert on orders for each row when (new.id < 10)"
            " execute function again()"
        )
        db.execute("insert into orders values (4), (5)")
        assert Counter(ops(db)) == {"insert": 4, "update": 2}
        assert {t.new["id"] for t in told(db)} == {1, 4, 5, 14, 15}

    def test_a_watched_table_that_changes_another_tells_both(self, db, orders):
        db.execute("create table log (id int generated always as identity primary key, t text)")
        db.execute(
            "create function noted() returns trigger language plpgsql as"
            " 'begin insert into public.log (t) select status from fresh; return null; end';"
            "create trigger a after insert on orders referencing new table as fresh"
            " execute function noted()"
        )
        watch(db), watch(db, "log")
        db.execute("insert into orders values (4, 'x')")
        assert sorted(t.payload["table"] for t in told(db)) == ["public.log", "public.orders"]

    def test_two_watches_of_one_table_tell_each(self, db, orders):
        watch(db, recipient="a"), watch(db, recipient="b", condition="new.id = 4")
        db.execute("insert into orders values (4), (5)")
        assert Counter(t.recipient for t in told(db)) == {"a": 2, "b": 1}

    def test_replica_sessions_tell_nothing(self, db, orders):
        watch(db)
        db.execute("set session_replication_role = replica")
        db.execute("delete from orders")
        assert told(db) == []


class TestPartitions:
    @pytest.fixture
    def parted(self, db):
        db.execute("create table parted (id int primary key, n int) partition by range (id)")
        db.execute("create table low (n int, id int not null)")
        db.execute("alter table parted attach partition low for values from (0) to (10)")
        db.execute("create table high partition of parted for values from (10) to (20)")
        db.execute("insert into parted values (1, 1), (11, 2)")

    def test_changes_through_the_table_are_told_whichever_partition_they_hit(self, db, parted):
        watch(db, "parted")
        db.execute("update parted set n = n + 1")
        assert [(t.old, t.new) for t in sorted(told(db), key=lambda t: t.new["id"])] == [
            ({"id": 1, "n": 1}, {"id": 1, "n": 2}), ({"id": 11, "n": 2}, {"id": 11, "n": 3}),
        ]  # fmt: skip
        assert {t.payload["table"] for t in told(db)} == {"public.parted"}

    def test_a_row_that_moves_between_partitions_has_another_key(self, db, parted):
        watch(db, "parted")
        db.execute("update parted set id = 12 where id = 1")
        assert sorted((t.op, (t.old or t.new)["id"]) for t in told(db)) == [
            ("delete", 1), ("insert", 12),
        ]  # fmt: skip

    def test_a_row_that_moves_and_keeps_its_key_is_an_update(self, db):
        db.execute(
            "create table p (id int, kind int, primary key (id, kind)) partition by list (kind)"
        )
        db.execute("create table p1 partition of p for values in (1)")
        db.execute("create table p2 partition of p for values in (2)")
        db.execute("insert into p values (1, 1)")
        watch(db, "p")
        db.execute("update p set kind = 2")
        assert sorted(ops(db)) == ["delete", "insert"]

    def test_a_partition_written_directly_is_not_told_but_may_be_watched(self, db, parted):
        watch(db, "parted")
        db.execute("update low set n = 5")
        assert told(db) == []
        watch(db, "low")
        db.execute("update low set n = 6")
        db.execute("update parted set n = 7")
        assert sorted(t.payload["table"] for t in told(db)) == [
            "public.low", "public.parted", "public.parted",
        ]  # fmt: skip


class TestValues:
    @pytest.mark.parametrize(
        ("of", "value", "told_as"),
        [
            ("bytea", r"'\xdeadBEEF'", r"\xdeadbeef"),
            ("numeric", "'NaN'", "NaN"),
            ("numeric", "'-Infinity'", "-Infinity"),
            ("double precision", "'Infinity'", "Infinity"),
            ("double precision", "0.1", 0.1),
            ("real", "'nan'", "NaN"),
            ("bigint", "9007199254740993", 9007199254740993),
            ("timestamptz", "'2026-03-01 12:00:00+02'", "2026-03-01T10:00:00+00:00"),
            ("timestamptz", "'infinity'", "infinity"),
            ("timestamp", "'2026-03-01 12:00:00'", "2026-03-01T12:00:00"),
            ("date", "'2026-03-01'", "2026-03-01"),
            ("date", "'-infinity'", "-infinity"),
            ("interval", "'1 day 2 hours'", "1 day 02:00:00"),
            ("time", "'12:30'", "12:30:00"),
            ("boolean", "true", True),
            ("int[]", "'{{1,2},{3,null}}'", [[1, 2], [3, None]]),
            ("text[]", "'{}'", []),
            ("timestamptz[]", "'{2026-03-01 12:00:00+02}'", ["2026-03-01T10:00:00+00:00"]),
            ("json", "'{\"a\": [1, null]}'", {"a": [1, None]}),
            ("jsonb", "'null'", None),
            ("uuid", "'00000000-0000-0000-0000-000000000001'",
             "00000000-0000-0000-0000-000000000001"),
            ("pair", "row(1, 'x')", {"a": 1, "b": "x"}),
            ("short", "'abc'", "abc"),
            ("mood", "'sad'", "sad"),
            ("int4range", "'[1,5)'", "[1,5)"),
            ("money", "12.34", "$12.34"),
            ("inet", "'::1/128'", "::1"),
            ("text", "'ünï 🎉 \" \\'", 'ünï 🎉 " \\'),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("restless", [False, True])
    def test_each_type_is_told_in_one_way_whatever_the_session_has_set(
        self, db, of, value, told_as, restless
    ):
        db.execute(
            "create type pair as (a int, b text); create domain short as varchar(3);"
            "create type mood as enum ('sad', 'glad')"
        )
        if restless:
            db.execute(
                "set timezone = 'Asia/Tokyo'; set datestyle = 'German'; set bytea_output = escape;"
                "set intervalstyle = iso_8601; set extra_float_digits = -5;"
                "set quote_all_identifiers = on; set transform_null_equals = on;"
                "set enable_hashjoin = off; set enable_mergejoin = off;"
                "set search_path = public, pg_temp"
            )
        assert new_one(db, f"v public.{of}" if of in ("pair", "short", "mood") else f"v {of}",
                       value)["v"] == told_as  # fmt: skip

    def test_a_number_keeps_all_its_digits(self, db):
        new_one(db, "v numeric", "1234567890.12345678901234567890")
        text = db.execute("select payload::text as t from notify.notifications").fetchone().t
        assert "1234567890.12345678901234567890" in text

    def test_stored_generated_columns_are_told(self, db):
        assert new_one(db, "a int, b int generated always as (a * 2) stored", "3")["b"] == 6

    def test_virtual_generated_columns_are_left_out(self, db):
        if db.info.server_version < 180000:
            db.execute("create table skipped ()")  # they came with PostgreSQL 18
            return
        assert new_one(db, "a int, b int generated always as (a * 2) virtual", "3") == {
            "id": 1, "a": 3,
        }  # fmt: skip

    def test_a_json_that_jsonb_cannot_hold_fails_by_name(self, db):
        with pytest.raises(
            psycopg.errors.UntranslatableCharacter, match=r"watch 1 of public.things"
        ):
            new_one(db, "v json", "'\"\\u0000\"'")


class TestNames:
    @pytest.mark.parametrize(
        "name",
        ['a"b', "Ünï", "x" * 63, "select", "a b", "a.b", "%s", "%1$s", "a'b", "$1", "old", "new",
         "a\\b", "-- c", "é" * 31],
    )  # fmt: skip
    def test_any_name_of_a_table_and_its_columns_works(self, db, name):
        known = {"schema": Identifier(name), "n": Identifier(name)}
        db.execute(SQL("create schema {schema}").format(**known))
        db.execute(
            SQL("create table {schema}.{n} ({n} text primary key, other int)").format(**known)
        )
        quoted = (
            db.execute("select format('%%I.%%I', %(n)s::text, %(n)s::text) as q", {"n": name})
            .fetchone()
            .q
        )
        watch(db, quoted, reference=name)
        watch(db, quoted, columns=[name], recipient="chosen")
        db.execute(SQL("insert into {schema}.{n} values ('x', 1)").format(**known))
        db.execute(SQL("update {schema}.{n} set {n} = 'y', other = 2").format(**known))
        db.execute(SQL("update {schema}.{n} set other = 3").format(**known))
        assert len(told(db)) == 2 + 4 + 1
        assert {t.payload["table"] for t in told(db)} == {quoted}
        assert {t.reference for t in told(db)} == {"x", "y", None}

    def test_a_table_of_many_columns_is_told_whole(self, db):
        columns = ", ".join(f"c{i} int default {i}" for i in range(400))
        assert len(new_one(db, columns, "0")) == 401


class TestLater:
    """What somebody does to the table after the watch was made."""

    def test_a_renamed_table_and_schema_are_followed(self, db, orders):
        watch(db)
        db.execute("alter table orders rename to sales; create schema shop")
        db.execute("alter table sales set schema shop; alter schema shop rename to market")
        db.execute("insert into market.sales values (4)")
        assert [t.payload["table"] for t in told(db)] == ["market.sales"]

    def test_a_renamed_column_is_followed_by_all_that_names_it(self, db, orders):
        watch(db, columns=["id", "total"], condition="new.total > 1", reference="total")
        watch(db, recipient="all", condition="old.id = 1 and new.total > 1")
        db.execute("alter table orders rename total to amount; alter table orders rename id to key")
        db.execute("update orders set amount = 8 where key = 1")
        first, second = sorted(told(db), key=lambda t: t.recipient == "r", reverse=True)
        assert (first.new, first.reference) == ({"id": 1, "total": 8}, "8.00")
        assert second.new == {"key": 1, "amount": 8, "status": "open"}

    def test_a_new_column_takes_a_name_that_is_free_again(self, db, orders):
        watch(db, columns=["total"])
        db.execute(
            "alter table orders rename total to total_before; alter table orders add total int"
        )
        db.execute("update orders set total_before = 1")
        assert told(db) == []
        db.execute("update orders set total = 2 where id = 1")
        assert [t.new for t in told(db)] == [{"total": 2}]

    def test_a_new_column_is_told_where_all_are(self, db, orders):
        watch(db)
        watch(db, columns=["id"], recipient="chosen")
        db.execute("alter table orders add note text default 'n'")
        db.execute("insert into orders values (4)")
        assert {t.recipient: t.new.get("note") for t in told(db)} == {"r": "n", "chosen": None}

    def test_a_dropped_column_is_left_out(self, db, orders):
        watch(db)
        watch(db, columns=["id", "status"])
        db.execute("alter table orders drop status")
        db.execute("insert into orders values (4, 5)")
        assert sorted((t.new for t in told(db)), key=len) == [{"id": 4}, {"id": 4, "total": 5}]

    def test_a_dropped_column_of_the_condition_fails_by_name(self, db, orders):
        id = watch(db, condition="new.status = 'x'")
        db.execute("alter table orders drop status")
        with pytest.raises(psycopg.errors.UndefinedColumn) as caught:
            db.execute("insert into orders values (4, 5)")
        assert str(caught.value).startswith(
            f"watch {id} of public.orders: column new.status does not"
        )
        assert f"select notify.off_change({id})" in caught.value.diag.message_hint

    def test_a_dropped_key_fails_by_name(self, db, orders):
        watch(db)
        db.execute("alter table orders drop constraint orders_pkey")
        with pytest.raises(
            psycopg.errors.ObjectNotInPrerequisiteState, match=r"watch 1 .*has no primary key"
        ):
            db.execute("update orders set total = 1")

    def test_another_key_pairs_from_then_on(self, db, orders):
        watch(db, events=["update"])
        db.execute("alter table orders drop constraint orders_pkey")
        db.execute("alter table orders add primary key (total)")
        db.execute("update orders set id = id + 1 where total = 5")
        assert [(t.op, t.old["id"], t.new["id"]) for t in told(db)] == [("update", 1, 2)]

    def test_a_type_that_changes_is_told_as_it_is(self, db, orders):
        watch(db, columns=["total"])
        db.execute("alter table orders alter total type text using total || ' EUR'")
        db.execute("insert into orders values (4, 'x', '1 USD')")
        assert [t.new for t in told(db)] == [{"total": "1 USD"}]


class TestRights:
    def test_whoever_changes_the_table_needs_no_right_of_ours(self, db, dsn, orders, writer):
        with producer(db, dsn, "shop") as shop:
            db.execute(SQL("grant trigger on orders to {}").format(Identifier(shop.info.user)))
            watch(shop, reference="id")
            writer.execute("update orders set total = 1 where id = 1")
            assert [(t.producer, t.reference) for t in told(db)] == [("shop", "1")]
            for query in ("table notify.notifications", "select notify.send('log', 'r', '{}')",
                          "table notify.watches", "table notify.kept_watches"):  # fmt: skip
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    writer.execute(query)
            db.execute(SQL("revoke trigger on orders from {}").format(Identifier(shop.info.user)))

    def test_the_condition_has_the_rights_of_whoever_changes_the_table(self, db, orders, writer):
        db.execute("create table secrets (id int); insert into secrets values (1)")
        watch(db, condition="new.id in (select id from public.secrets)")
        with pytest.raises(
            psycopg.errors.InsufficientPrivilege,
            match=r"watch 1 .*permission denied for table secrets",
        ):
            writer.execute("update orders set total = 1")
        db.execute("update orders set total = 1")
        assert len(told(db)) == 1

    def test_a_condition_sees_who_changes_the_table(self, db, orders, writer):
        watch(db, reference="current_user")
        writer.execute("update orders set total = 1 where id = 1")
        assert [t.reference for t in told(db)] == [writer.info.user]

    def test_a_function_of_the_application_may_change_the_table(self, db, orders, writer):
        db.execute(
            "create function pay(i int) returns void language sql security definer"
            " set search_path = '' as 'update public.orders set status = ''paid'' where id = i'"
        )
        db.execute(SQL("revoke all on orders from {}").format(Identifier(writer.info.user)))
        watch(db)
        writer.execute("select pay(1)")
        assert ops(db) == ["update"]

    def test_set_role_changes_nothing_of_whose_the_rows_are(self, db, orders, writer):
        watch(db)
        with db.transaction():
            db.execute(SQL("set local role {}").format(Identifier(writer.info.user)))
            db.execute("update orders set total = 1 where id = 1")
        assert [t.producer for t in told(db)] == [db.info.user]

    def test_row_security_hides_no_change_that_its_writer_could_make(self, db, orders, writer):
        db.execute("alter table orders enable row level security")
        db.execute("create policy own on orders using (id < 3)")
        watch(db)
        writer.execute("update orders set total = 1")
        assert sorted(t.new["id"] for t in told(db)) == [1, 2]

    def test_functions_of_other_schemas_are_not_found_by_a_hostile_search_path(
        self, db, orders, writer
    ):
        watch(db, condition="lower(new.status) = 'open'")
        db.execute(
            "create schema trap; grant usage on schema trap to public;"
            "create function trap.lower(text) returns text language plpgsql as"
            " 'begin raise exception ''trapped''; end';"
            "create function trap.eq(text, text) returns bool language plpgsql as"
            " 'begin raise exception ''trapped''; end';"
            "create operator trap.= (function = trap.eq, leftarg = text, rightarg = text)"
        )
        writer.execute("set search_path = trap, pg_catalog, public")
        writer.execute("update public.orders set total = 1")
        assert ops(db) == ["update"] * 2

    def test_without_a_watch_the_schema_stays_closed(self, db, orders, writer):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="schema notify"):
            writer.execute("select notify.put_watched(1, 'x', '{}', '{}')")


class TestErrors:
    def test_a_notification_that_is_refused_fails_the_statement_by_name(self, db, orders):
        watch(db, reference="repeat('x', 300)")
        with pytest.raises(psycopg.errors.CheckViolation) as caught:
            db.execute("update orders set total = 1")
        assert "watch 1 of public.orders: notifications: reference" in str(caught.value)
        assert db.execute("select count(*) as n from orders where total = 1").fetchone().n == 0

    def test_skip_lets_the_statement_go_on_and_counts(self, db, orders):
        watch(db, reference="repeat('x', 300)", on_error="skip")
        with db.transaction():
            db.execute("update orders set total = 1")
            db.execute("update orders set total = 2")
        assert told(db) == []
        assert db.execute("select faults from notify.watches").fetchone().faults == 2
        [fault, _] = db.execute("select watch_id, error from notify.watch_faults").fetchall()
        assert fault.watch_id == 1
        assert "reference_is_1_to_255_characters" in fault.error

    def test_skip_leaves_no_part_of_a_statement_told(self, db, orders):
        watch(db, condition="1 / (3 - new.id) > 0", on_error="skip")
        db.execute("update orders set total = 1")
        assert told(db) == []
        db.execute("update orders set total = 2 where id = 2")
        assert ops(db) == ["update"]

    def test_an_assertion_is_skipped_as_other_errors_are(self, db, orders):
        db.execute(
            "create function asserts() returns boolean language plpgsql as"
            " 'begin assert false, ''never''; end'"
        )
        watch(db, condition="public.asserts()", on_error="skip")
        db.execute("update orders set total = 1")
        [fault] = db.execute("select error from notify.watch_faults").fetchall()
        assert fault.error == "watch 1 of public.orders: never"

    @pytest.mark.parametrize("state", ["40001", "40P01", "53100", "55P03", "57014", "58030"])
    def test_what_is_no_fault_of_the_watch_is_not_swallowed(self, db, orders, state):
        db.execute(
            "create function loses() returns boolean language plpgsql as"
            f" 'begin raise exception using errcode = ''{state}''; end'"
        )
        watch(db, condition="public.loses()", on_error="skip")
        with pytest.raises(psycopg.Error) as caught:
            db.execute("update orders set total = 1")
        assert caught.value.sqlstate == state
        assert db.execute("select count(*) as n from notify.watch_faults").fetchone().n == 0

    @pytest.mark.parametrize("state", ["08001", "22012", "54001", "55000", "58P01", "XX000"])
    def test_what_a_repeat_would_not_tell_either_is_skipped(self, db, orders, state):
        db.execute(
            "create function fails() returns boolean language plpgsql as"
            f" 'begin raise exception using errcode = ''{state}''; end'"
        )
        watch(db, condition="public.fails()", on_error="skip")
        db.execute("update orders set total = 1")
        assert db.execute("select faults from notify.watches").fetchone().faults == 1

    def test_what_a_repeat_may_tell_names_the_watch(self, db, orders):
        db.execute(
            "create function waits() returns boolean language plpgsql as"
            " 'begin raise exception using errcode = ''55P03'', message = ''no lock''; end'"
        )
        watch(db, condition="public.waits()", on_error="skip")
        with pytest.raises(psycopg.errors.LockNotAvailable, match=r"watch 1 of .*: no lock"):
            db.execute("update orders set total = 1")

    def test_a_change_is_not_lost_for_want_of_a_lock(self, db, other_db, orders):
        watch(db, on_error="skip")
        db.execute("set lock_timeout = '10ms'")
        with other_db.transaction():
            other_db.execute("lock table notify.notifications")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                db.execute("update orders set total = 1 where id = 1")
        db.execute("update orders set total = 1 where id = 1")
        assert ops(db) == ["update"]

    def test_what_is_rolled_back_was_never_told(self, db, orders):
        watch(db)
        with db.transaction():
            db.execute("update orders set total = 1 where id = 1")
            with db.transaction(force_rollback=True):
                db.execute("update orders set total = 1 where id = 2")
            db.execute("update orders set total = 1 where id = 3")
        assert [t.new["id"] for t in told(db)] == [1, 3]


@pytest.mark.parametrize("level", ["read committed", "repeatable read", "serializable"])
class TestIsolation:
    def test_two_transactions_are_told_at_every_level(self, db, other_db, orders, level):
        watch(db, reference="id")
        for session, id in ((db, 1), (other_db, 2)):
            session.execute(f"begin isolation level {level}")
            session.execute("update orders set total = total + 1 where id = %s", [id])
            session.execute("insert into orders values (%s)", [id + 10])
        db.execute("commit"), other_db.execute("commit")
        assert Counter(t.reference for t in told(db)) == {"1": 1, "2": 1, "11": 1, "12": 1}

    def test_a_conflict_is_the_callers_as_without_a_watch(self, db, other_db, orders, level):
        watch(db, on_error="skip")
        db.execute(f"begin isolation level {level}")
        db.execute("select from orders")
        other_db.execute("update orders set total = 1 where id = 1")
        if level == "read committed":
            db.execute("update orders set total = 2 where id = 1")
        else:
            with pytest.raises(psycopg.errors.SerializationFailure):
                db.execute("update orders set total = 2 where id = 1")
        db.execute("commit")
        assert len(told(db)) == (2 if level == "read committed" else 1)

    def test_a_transaction_that_is_older_than_the_watch_tells_as_its_snapshot_knows(
        self, db, other_db, orders, level
    ):
        other_db.execute(f"begin isolation level {level}")
        other_db.execute("select 1 from notify.settings")
        watch(db)
        other_db.execute("insert into orders values (4)")
        other_db.execute("commit")
        assert ops(db) == (["insert"] if level == "read committed" else [])


def test_a_rollback_of_the_service_leaves_the_table_as_it_was(db, dsn, orders):
    watch(db)
    assert yoyo(dsn, "rollback", "--all").returncode == 0
    db.execute("update orders set total = 1")
    query = "select tgname from pg_trigger where tgrelid = 'orders'::regclass"
    assert db.execute(query).fetchall() == []
    assert migrate(dsn)
    db.execute("update orders set total = 2")
    assert told(db) == []


def test_between_the_functions_and_their_tables_a_rollback_stops_no_change(db, dsn, orders):
    watch(db)
    assert yoyo(dsn, "rollback", "--revision", current_migration()).returncode == 0
    db.execute("update orders set total = 1")
    assert migrate(dsn) == [current_migration()]
    db.execute("update orders set total = 2 where id = 1")
    assert [t.new["total"] for t in told(db)][-1] == 2


class TestWhatANeighbourTried:
    """A change that is told always, or not made; and told once."""

    @pytest.mark.parametrize("how", ["set_config('notify.watch_{id}', '', true)", "reset_all()"])
    def test_who_takes_the_ticket_away_changes_nothing(self, db, orders, how):
        id = watch(db)
        db.execute(
            "create function reset_all() returns text language plpgsql as"
            " $$ begin reset all; return ''; end $$"
        )
        for change in ("update orders set total = total + 1", "delete from orders"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="its ticket was taken"):
                db.execute(f"{change} where {how.format(id=id)} = ''")
        assert ops(db) == []

    def test_an_heir_made_later_is_refused_by_name(self, db, orders):
        watch(db)
        db.execute("create table heirs () inherits (orders)")
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="inherit from"):
            db.execute("update orders set total = total + 1")

    def test_a_key_that_is_checked_late_is_none(self, db):
        db.execute("create table late (id int primary key deferrable initially deferred)")
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="no primary key"):
            watch(db, "late")

    def test_a_key_with_a_field_that_is_null_is_a_row(self, db):
        db.execute("create type pair as (a int, b int)")
        db.execute("create table paired (k pair primary key, v int)")
        watch(db, "paired")
        db.execute("insert into paired values (row(1, null), 1)")
        db.execute("update paired set v = 2")
        assert ops(db) == ["insert", "update"]
        assert [t.new["v"] for t in told(db)] == [1, 2]


def test_what_on_change_refuses_keep_watch_refuses(db, orders):
    """A producer may call it by hand; a table that no dump has would break the restore of all."""
    db.execute("create temporary table passing (id int primary key)")
    query = "select reltoastrelid::regclass::text as t from pg_class where oid = 'orders'::regclass"
    toast = db.execute(query).fetchone().t
    for table in ("pg_catalog.pg_class", "notify.notifications", "pg_temp.passing", toast):
        with pytest.raises(psycopg.errors.CheckViolation):
            db.execute(
                "select notify.keep_watch(%s, '{insert}', 'log', 'x', null, null, null, 'fail')",
                [table],
            )


def test_a_watch_in_an_open_transaction_holds_no_setting(db, other_db, orders):
    watch(db)
    other_db.execute("set lock_timeout = '1s'")
    with db.transaction():
        watch(db, events=["delete"])
        other_db.execute("select from notify.settings for update")


def test_a_reference_whose_column_was_dropped_is_no_expression(db):
    db.execute('create table named (id int primary key, "current_user" text)')
    id = watch(db, "named", reference="current_user")
    db.execute('alter table named drop column "current_user"')
    with pytest.raises(psycopg.errors.UndefinedColumn, match=f"watch {id} of .* is gone"):
        db.execute("insert into named values (1)")


def test_the_rule_that_refuses_says_what_to_write(db, orders):
    watch(db, reference="repeat('x', 256)")
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        db.execute("update orders set total = total + 1")
    assert caught.value.diag.message_hint.startswith("Use 1 to 255 characters")
    assert "off_change" in caught.value.diag.message_hint


def test_serializable_transactions_that_skip_do_not_depend_on_each_other(db, other_db, dsn):
    for name in ("ones", "twos"):
        db.execute(f"create table {name} (id int primary key, v int)")
        watch(db, name, on_error="skip", condition="1 / new.v > 0")
    sessions = (db, other_db)
    for session, name in zip(sessions, ("ones", "twos"), strict=True):
        session.execute("begin isolation level serializable")
        session.execute(f"insert into {name} values (1, 0)")
    for session in sessions:
        session.execute("commit")
    assert db.execute("select count(*) as n from notify.watch_faults").fetchone().n == 2
