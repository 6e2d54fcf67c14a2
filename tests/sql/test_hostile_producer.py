"""A producer who tries everything in psql: it sends, sees its own, and that is all.

The role was granted by grant_producer(). Another producer's row, with a secret in each of its
texts, is there to be looked for.
"""

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from service.ledger.schema import functions, tables
from tests.ledger import claim, row, settle
from tests.producers import LEAK, producer
from tests.sql.test_producer_rights import CALLED
from tests.sql.test_search_path import IN_TEMP, PATHS, TRAP, insert

SECRET = "hunter2"
DENIED = psycopg.errors.InsufficientPrivilege


@pytest.fixture
def victim(db, dsn):
    """Another producer's session; its row is `id`."""
    with producer(db, dsn, "victim") as session:
        yield session


@pytest.fixture
def secret(victim):
    """The id of another producer's row, all of whose texts are secret."""
    query = (
        "select notify.send('log', %(s)s, to_jsonb(%(s)s::text), %(s)s, idempotency_key => %(s)s)"
        " as id"
    )
    return victim.execute(query, {"s": SECRET}).fetchone().id


@pytest.fixture
def hostile(db, dsn):
    with producer(db, dsn, "hostile") as session:
        yield session


def said(session, statement, given=None):
    """Run it; return all that the client is shown: rows, notices, or the error in full."""
    shown = []
    session.add_notice_handler(lambda diag: shown.append(diag.message_primary))
    try:
        cursor = session.execute(statement, given)
        shown += cursor.fetchall() if cursor.description else []
    except psycopg.Error as error:
        names = ("message_primary", "message_detail", "message_hint", "context")
        shown += [getattr(error.diag, name) for name in names]
    return str(shown)


READS = [
    "table notify.notifications",
    "select id from notify.notifications",
    "select from notify.notifications",
    "select count(*) from notify.notifications_default",
    "copy notify.notifications to stdout",
    "copy (table notify.notifications) to stdout",
    "insert into notify.notifications (channel, recipient, payload) values ('log', 'r', '1')"
    " returning *",
    "insert into notify.notifications (channel, recipient, payload) values ('log', 'r', '1')"
    " returning id",
    "insert into notify.notifications (channel, recipient, payload) values ('log', 'r', '1')"
    " on conflict (id) do nothing",
    "insert into notify.notifications (channel, recipient, payload) values ('log', 'r', '1')"
    " on conflict (id) do update set recipient = excluded.recipient",
    "insert into notify.notifications as n (channel, recipient, payload) values ('log', 'r', '1')"
    " on conflict on constraint notifications_pkey do update set priority = n.priority",
    "merge into notify.notifications n using (values (1)) v(x) on n.recipient = 'hunter2'"
    " when not matched then insert (channel, recipient, payload) values ('log', 'r', '1')",
    "update notify.notifications set priority = 0",
    "delete from notify.notifications",
    "truncate notify.notifications",
    "select from notify.notifications for update",
    "explain analyze select from notify.notifications where recipient = 'hunter2'",
    "create view pg_temp.v as table notify.notifications; table pg_temp.v",
    "create index on notify.notifications (id)",
    "analyze notify.notifications; table notify.attempts",
    "lock notify.notifications in access exclusive mode",
    "lock notify.notifications in row exclusive mode",
    "comment on table notify.notifications is 'mine'",
]


@pytest.mark.parametrize("statement", READS)
def test_the_table_is_neither_read_nor_changed(db, hostile, secret, statement):
    with pytest.raises(DENIED):
        hostile.execute("begin; " + statement)
    assert row(db, secret).recipient == SECRET


@pytest.mark.parametrize("table", tables())
def test_no_other_table_is_read_or_written(hostile, table):
    attempts = [f"table notify.{table}", f"delete from notify.{table}"]
    if table != "notifications":
        attempts.append(f"insert into notify.{table} default values")
    for attempt in attempts:
        with pytest.raises(DENIED):
            hostile.execute(attempt)


OURS_ALONE = [
    "producer", "is_test", "emptied_at", "status", "attempt", "due_at", "created_at", "lease_until",
    "claimed_by", "settled_at", "last_error", "last_error_code", "first_claimed_at",
    "transaction_id", "repeats",
]  # fmt: skip


@pytest.mark.parametrize("column", OURS_ALONE)
def test_what_only_the_service_sets_is_not_set(hostile, column):
    head = f"insert into notify.notifications (channel, recipient, payload, {column})"
    for values in ("values ('log', 'r', '1', default)", "select 'log', 'r', '1', null"):
        with pytest.raises(DENIED):
            hostile.execute(f"{head} {values}")
    with pytest.raises(DENIED), hostile.cursor().copy(
        f"copy notify.notifications (channel, recipient, payload, {column}) from stdin"
    ):  # fmt: skip
        pass


def test_every_column_is_the_producers_or_the_services(db):
    """A new column is granted, or named above."""
    query = (
        "select attname, has_column_privilege('pg_monitor', attrelid, attnum, 'insert') as x"
        " from pg_attribute where attrelid = 'notify.notifications'::regclass and attnum > 0"
    )
    granted = "select attribute from notify.producer_rights() where name = 'notify.notifications'"
    names = {r.attribute for r in db.execute(granted)}
    assert names | set(OURS_ALONE) == {r.attname for r in db.execute(query)}
    assert names & set(OURS_ALONE) == set()


def test_every_other_function_is_refused(db, hostile):
    query = (
        "select format('select notify.%I(%s)', proname,"
        " (select string_agg(format('null::%s', t), ', ') from unnest(proargtypes) t(o),"
        "  lateral (select o::regtype::text) x(t))) as call, proname::text as name"
        " from pg_proc where pronamespace = 'notify'::regnamespace"
    )
    calls = db.execute(query).fetchall()
    assert {c.name for c in calls} >= {f.partition("(")[0] for f in functions()}
    for call in calls:
        if call.name not in CALLED:
            with pytest.raises(DENIED, match="permission denied for function"):
                hostile.execute(call.call)


@pytest.mark.parametrize(
    "statement",
    [
        "create table notify.mine (n int)",
        "create function notify.mine() returns int language sql return 1",
        "create or replace function notify.new_id() returns uuid language sql return null::uuid",
        "create operator notify.= (leftarg = text, rightarg = text, function = texteq)",
        "create view notify.v as select 1",
        "create trigger t before insert on notify.notifications execute function notify.wake()",
        "alter table notify.notifications disable trigger all",
        "alter table notify.notifications disable trigger accept",
        "drop trigger accept on notify.notifications",
        "create rule r as on insert to notify.notifications do also select 1",
        "create policy p on notify.notifications using (true)",
        "grant select on notify.notifications to public",
        "set session_replication_role = replica",
        "set session authorization postgres",
        "set role postgres",
        "set role pg_read_all_data",
        "select set_config('role', 'postgres', false)",
        "alter role current_user superuser",
        "alter schema notify rename to mine",
        "alter function notify.send set search_path = pg_temp",
        "alter function notify.accept security invoker",
        "create temp table t (n int); create trigger a before insert on t"
        " for each row execute function notify.accept()",
        "create temp table t (n int); create trigger a before insert on t"
        " for each row execute function notify.take_key()",
        "create temp table t (like notify.notifications including all)",
        "select nextval('notify.audit_id_seq')",
    ],
)
def test_nothing_of_the_schema_or_of_the_session_is_turned(hostile, statement):
    with pytest.raises(DENIED):
        hostile.execute(statement)


LOOKS = [
    "select * from notify.outcomes() o where pg_temp.leak(o.*::text)",
    "select * from notify.outcomes(since => '-infinity') o where pg_temp.leak(o.reference)",
    "select * from notify.outcomes(by_reference => 'hunter2') o where pg_temp.leak(o.id)",
    "select * from notify.outcomes(by_key => 'hunter2') o where pg_temp.leak(o.id)",
    "select * from notify.outcomes('{id}') o where pg_temp.leak(o.id)",
    "explain (analyze, verbose) select * from notify.outcomes(by_reference => 'hunter2')",
    "explain (analyze, verbose) select * from notify.outcomes()",
    "select * from notify.outcomes o where pg_temp.leak(o.*::text)",
    "select * from notify.outcomes o where pg_temp.leak(o.reference) and id = '{id}'",
    "select * from notify.outcome_of('hunter2') o where pg_temp.leak(o.id)",
    "select * from notify.validate('log', 'r', '1', 'hunter2', idempotency_key => 'hunter2') o"
    " where pg_temp.leak(o.*::text)",
    "explain (verbose) select * from notify.outcomes",
    "explain (analyze, verbose) select * from notify.outcome_of('nobody')",
    "select most_common_vals from pg_stats where schemaname = 'notify'",
    "select query from pg_stat_activity where query ~ 'hunter'",
]


@pytest.mark.parametrize("statement", LOOKS)
def test_no_function_and_no_plan_tells_of_others_rows(db, hostile, secret, statement):
    hostile.execute(LEAK)
    db.execute("analyze notify.notifications")
    shown = said(hostile, statement.replace("{id}", str(secret)))
    assert str(secret) not in shown
    assert "leaked" not in shown
    assert SECRET not in shown.replace("by_reference => 'hunter2'", "").replace(
        "'hunter2'::text", ""
    ).replace("query ~ 'hunter'", "")


def test_a_plan_is_the_same_whether_others_have_such_a_reference(hostile, secret):
    plan = "explain (analyze, timing off, summary off, buffers off)"
    plan += " select * from notify.outcomes(by_reference => '{}')"
    there, nowhere = (said(hostile, plan.format(r)) for r in (SECRET, "nobody"))
    assert there == nowhere
    assert "Function Scan" in there


def test_an_error_shows_nothing_of_others(hostile, secret):
    insert_again = (
        "insert into notify.notifications (id, channel, recipient, payload)"
        " values (%s, 'log', 'r', '1')"
    )
    assert SECRET not in said(hostile, insert_again, [secret])
    assert "duplicate key" in said(hostile, insert_again, [secret])


def test_anothers_key_is_neither_taken_nor_seen(db, hostile, secret):
    own = hostile.execute(
        "select notify.send('log', 'r', '1', idempotency_key => %s) as id", [SECRET]
    )
    id = own.fetchone().id
    assert id != secret
    assert [
        o.id for o in hostile.execute("select id from notify.outcomes(by_key => %s)", [SECRET])
    ] == [id]


COLUMNS = "channel, recipient, payload, producer"
NAMING = f"insert into notify.notifications ({COLUMNS}) "
VALUES = "values ('log', 'r', '1', 'victim')"
# By all columns, as it may be granted by hand; the definer's function and the view are its own.
WAYS = {
    "insert": NAMING + VALUES,
    "insert select": NAMING + "select 'log', 'r', '1', 'victim'",
    "prepared": f"prepare p as {NAMING}{VALUES}; execute p",
    "its role, set": f"set role {{role}}; {NAMING}{VALUES}",
    "its role, set by function": f"select set_config('role', '{{role}}', false); {NAMING}{VALUES}",
    "a definer's function": "create function pg_temp.f() returns void language sql"
    f" security definer as $f$ {NAMING}{VALUES} $f$; select pg_temp.f()",
    "a view": f"create view pg_temp.v as select {COLUMNS} from notify.notifications;"
    f" insert into pg_temp.v {VALUES}",
    "do": f"do $d$ begin execute $e$ {NAMING}{VALUES} $e$; end $d$",
    "with": f"with w as ({NAMING}{VALUES}) select 1",
    "on conflict": f"{NAMING}{VALUES} on conflict do nothing",
    "a path of its own": f"set search_path = pg_temp, public; {NAMING}{VALUES}",
    "a trigger of its own table": "create temp table t (n int);"
    " create function pg_temp.t() returns trigger language plpgsql security definer as"
    f" $f$ begin {NAMING}{VALUES}; return null; end $f$;"
    " create trigger t after insert on t for each row execute function pg_temp.t();"
    " insert into t values (1)",
}


@pytest.mark.parametrize("way", WAYS)
def test_it_names_no_other_producer_even_with_every_column_granted(db, hostile, way):
    role = hostile.info.user
    db.execute(SQL("grant insert on notify.notifications to {}").format(Identifier(role)))
    db.execute(SQL("grant select ({}) on notify.notifications to {}").format(
        SQL(COLUMNS), Identifier(role)))  # fmt: skip
    hostile.execute(WAYS[way].replace("{role}", role))
    assert [r.producer for r in db.execute("select producer from notify.notifications")] == [
        "hostile"
    ]


def test_it_names_no_other_producer_by_copy(db, hostile):
    grant = SQL("grant insert on notify.notifications to {}")
    db.execute(grant.format(Identifier(hostile.info.user)))
    with hostile.cursor().copy(f"copy notify.notifications ({COLUMNS}) from stdin") as copy:
        copy.write_row(("log", "r", "1", "victim"))
    assert [r.producer for r in db.execute("select producer from notify.notifications")] == [
        "hostile"
    ]


def test_it_says_no_transaction_even_with_every_column_granted(db, hostile):
    grant = SQL("grant insert on notify.notifications to {}")
    db.execute(grant.format(Identifier(hostile.info.user)))
    hostile.execute(
        "insert into notify.notifications (channel, recipient, payload, transaction_id)"
        " values ('log', 'r', '1', '5')"
    )
    [kept] = db.execute("select transaction_id from notify.notifications").fetchall()
    assert int(kept.transaction_id) > 5


@pytest.mark.parametrize("who", ["hostile", "owner"])
def test_a_table_of_keys_that_is_gone_lets_no_row_in_unchecked(db, hostile, who):
    """Its checks do not go with it, as a trigger goes that depends on a table."""
    db.execute("drop table notify.api_keys")
    session = hostile if who == "hostile" else db
    for channel in ("fax", "log"):
        with pytest.raises(psycopg.errors.UndefinedTable):
            session.execute("insert into notify.notifications (channel, recipient, payload)"
                            " values (%s, 'r', '1')", [channel])  # fmt: skip


def test_the_owner_and_its_definers_function_name_a_producer(db, hostile):
    """The API inserts as a role that may, and what we let others call runs as the owner."""
    db.execute(NAMING + VALUES)
    db.execute("create function public.ours() returns void language sql security definer"
               f" as $f$ {NAMING}{VALUES} $f$")  # fmt: skip
    hostile.execute("select public.ours()")
    kept = db.execute("select producer from notify.notifications").fetchall()
    assert [r.producer for r in kept] == ["victim"] * 2


def test_a_definers_function_names_a_producer_whoever_was_set_as_the_role(db, hostile):
    """The owner's own session speaks for the shop, and still changes a table that is watched."""
    db.execute("create function public.ours() returns void language sql security definer"
               f" as $f$ {NAMING}{VALUES} $f$")  # fmt: skip
    with db.transaction():
        db.execute(SQL("set local role {}").format(Identifier(hostile.info.user)))
        db.execute("select public.ours()")
    [kept] = db.execute("select producer from notify.notifications").fetchall()
    assert kept.producer == "victim"


def test_a_role_that_may_update_the_keys_names_a_producer(db, hostile):
    role = Identifier(hostile.info.user)
    db.execute(SQL("grant insert on notify.notifications to {}").format(role))
    db.execute(SQL("grant update on notify.api_keys to {}").format(role))
    hostile.execute(NAMING + VALUES)
    [kept] = db.execute("select producer from notify.notifications").fetchall()
    assert kept.producer == "victim"


@pytest.mark.parametrize("how", ["set role {0}", "set local role {0}"])
def test_a_role_that_it_is_not_in_does_not_speak_for_it(db, hostile, victim, how):
    with pytest.raises(DENIED):
        hostile.execute(how.format(victim.info.user))


def test_a_definers_function_of_its_own_does_not_change_who_speaks(db, hostile, secret):
    hostile.execute("create function pg_temp.who() returns setof uuid language sql security definer"
                    " as 'select id from notify.outcomes()'")  # fmt: skip
    assert hostile.execute("select * from pg_temp.who()").fetchall() == []


MORE_IN_TEMP = """
create function pg_temp.jsonb_typeof(jsonb) returns pg_catalog.text language sql
  as $$ select 'object'::pg_catalog.text $$;
create temp table producer_roles (role pg_catalog.text, producer pg_catalog.text);
insert into producer_roles values (current_user, 'victim');
"""


@pytest.mark.parametrize("path", PATHS)
def test_its_names_are_not_used_by_send_and_outcomes(db, hostile, secret, path):
    db.execute(TRAP)
    hostile.execute(IN_TEMP)
    hostile.execute(MORE_IN_TEMP)
    hostile.execute(f"set search_path = {path}")
    with pytest.raises(psycopg.errors.CheckViolation):
        hostile.execute("select notify.send('log', 'r', '1', options => '3')")
    insert(hostile)
    hostile.execute("select notify.send('log', 'r', '1', idempotency_key => 'k')")
    seen = hostile.execute("select id from notify.outcomes(since => '-infinity')").fetchall()
    assert len(seen) == 2
    assert secret not in [o.id for o in seen]
    assert {row(db, o.id).producer for o in seen} == {"hostile"}
    assert len(settle(db, claim(db))) == 3


@pytest.mark.parametrize(
    "setting",
    [
        "row_security = off", "transform_null_equals = on", "standard_conforming_strings = off",
        "plan_cache_mode = force_generic_plan", "enable_indexscan = off", "timezone = 'Asia/Tokyo'",
        "datestyle = 'German'", "intervalstyle = 'sql_standard'", "bytea_output = 'escape'",
        "check_function_bodies = off", "plpgsql.extra_errors = 'all'", "xmloption = document",
        "default_tablespace = ''", "notify.wake = off", "client_min_messages = debug1",
        "extra_float_digits = -15", "parallel_setup_cost = 0", "array_nulls = off",
    ],
)  # fmt: skip
def test_no_setting_of_its_session_changes_what_is_kept(db, hostile, secret, setting):
    hostile.execute(f"set {setting}")
    id = hostile.execute(
        "select notify.send('log', 'r', '{}', 'mine', idempotency_key => 'k') as id"
    )
    got = row(db, id.fetchone().id)
    assert (got.status, got.producer, got.id.version) == ("queued", "hostile", 7)
    again = hostile.execute(
        "select notify.send('log', 'r', '{}', 'mine', idempotency_key => 'k') as id"
    )
    assert again.fetchone().id == got.id
    seen = hostile.execute("select id from notify.outcomes(since => '-infinity')").fetchall()
    assert [o.id for o in seen] == [got.id]
    assert [
        o.id for o in hostile.execute("select id from notify.outcomes(by_reference => 'mine')")
    ] == [got.id]
    with pytest.raises(psycopg.errors.CheckViolation):
        hostile.execute("select notify.send('fax', 'r', '{}')")


def test_bells_that_it_rings_change_nothing(db, hostile, secret):
    db.execute("listen notify_wake")
    db.execute("select notify.arm(1000)")
    for n in range(200):
        hostile.execute("select pg_notify('notify_wake', %s)", [f"'; drop table x {n}"])
    assert len(settle(db, claim(db))) == 1


LOCKS = ["pg_advisory_lock({}, {})", "pg_advisory_lock_shared({}, {})"]


@pytest.mark.parametrize("lock", LOCKS)
def test_the_doorbells_lock_in_its_hand_stops_nobody(db, dsn, hostile, victim, lock):
    """The dispatcher cannot sleep, and looks at a pace: integration/dispatch/test_neighbours.py."""
    hostile.execute("select " + lock.format(1852798057, 1))
    assert victim.execute("select notify.send('log', 'r', '1') as id").fetchone().id

    assert db.execute("select notify.arm(5) as is_armed").fetchone().is_armed is False
    assert len(settle(db, claim(db))) == 1


def test_the_leaders_lock_in_its_hand_is_named(db, dsn, hostile):
    hostile.execute("select pg_advisory_lock(1852798057, 2)")
    holder = db.execute("select pid, role, is_ours from notify.lock_holder(2)").fetchone()
    assert holder == (hostile.info.backend_pid, hostile.info.user, False)
