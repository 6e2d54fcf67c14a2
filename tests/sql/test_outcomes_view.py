"""The view notify.outcomes: a producer's own rows by plain SQL, and nobody else's."""

import psycopg
import pytest

from service.ledger.migrate import migrate
from service.ledger.schema import current_migration, schema_root
from tests.ledger import ago, change, claim, pause, put, row, settle
from tests.producers import LEAK, role
from tests.sql.test_migrate import yoyo

MIGRATIONS = schema_root() / "migrations"
FINDS = [
    "true",
    "reference = 'order-42'",
    "id = '{id}'",
    "idempotency_key = 'k'",
    "id >= notify.id_floor(now() - interval '1 hour')",
    "created_at >= now() - interval '1 hour'",
    "transaction_id is not null",
]


def send(session, more="reference => 'order-42', idempotency_key => 'k'"):
    return session.execute(f"select notify.send('log', 'r', '{{}}', {more}) as id").fetchone().id


def found(session, where="true"):
    return session.execute(f"select * from notify.outcomes where {where}").fetchall()


def test_the_line_of_the_readme_tells_how_it_stands(db, shop):
    id = send(shop, "reference => 'order-42', options => '{\"max_attempts\": 1}'")
    line = "select status, code from notify.outcomes where reference = 'order-42'"
    assert tuple(shop.execute(line).fetchone()) == ("queued", None)
    settle(db, claim(db, [id]), "permanent", code="410", excerpt="gone")
    assert tuple(shop.execute(line).fetchone()) == ("failed", "410")


def test_it_tells_the_next_try_of_what_is_queued_and_the_end_of_what_has_ended(db, shop):
    id = send(shop)
    [waits] = found(shop)
    assert (waits.next_try_at, waits.settled_at) == (row(db, id).due_at, None)
    settle(db, claim(db, [id]), "temporary", code="503", excerpt="busy")
    [again] = found(shop)
    assert (again.attempt, again.code, again.error) == (1, "503", row(db, id).last_error)
    assert again.next_try_at == row(db, id).due_at > waits.next_try_at
    change(db, id, due_at=ago(db, "1 second"))
    settle(db, claim(db, [id]))
    [ended] = found(shop)
    assert (ended.status, ended.next_try_at) == ("sent", None)
    assert ended.settled_at == row(db, id).settled_at


def test_what_a_pause_keeps_has_no_next_try(db, shop):
    id = send(shop)
    pause(db, "channel", "log")
    assert claim(db, [id]) == []
    [waits] = found(shop)
    assert (waits.status, waits.next_try_at) == ("queued", None)
    assert shop.execute("select due_at from notify.outcomes()").fetchone().due_at is None


@pytest.mark.parametrize("where", FINDS)
def test_others_rows_are_not_there(shop, other, where):
    id = send(shop)
    assert [o.id for o in found(shop, where.format(id=id))] == [id]
    assert found(other, where.format(id=id)) == []


def test_it_shows_what_outcomes_shows_but_neither_recipient_nor_payload(db):
    view = {c.name for c in db.execute("select * from notify.outcomes").description}
    function = {c.name for c in db.execute("select * from notify.outcomes()").description}
    renamed = {"due_at", "last_error_code", "last_error"}
    assert view == function - renamed | {
        "next_try_at", "code", "error", "transaction_id", "traceparent"}  # fmt: skip


@pytest.mark.parametrize(
    "where",
    [
        "pg_temp.leak(reference)",
        "pg_temp.leak(outcomes.*::text)",
        "1 / (case reference when 'order-42' then 0 else 1 end) = 1",
        "reference::integer = 1",
    ],
)
def test_no_condition_of_the_askers_sees_a_row_of_others(shop, other, where):
    send(shop)
    other.execute(LEAK)
    shown = []
    other.add_notice_handler(lambda diag: shown.append(diag.message_primary))
    assert found(other, where) == []
    assert shown == []


def test_a_producer_only_reads_it(shop):
    send(shop)
    for statement in (
        "update notify.outcomes set reference = 'x'",
        "delete from notify.outcomes",
        "insert into notify.outcomes (channel) values ('log')",
        "select from notify.outcomes for update",
        "alter view notify.outcomes reset (security_barrier)",
        "create rule r as on insert to notify.outcomes do instead nothing",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            shop.execute(statement)


def test_a_role_that_changes_speaks_for_whom_it_became(db, dsn, shop, other):
    id = send(shop)
    db.execute(f"grant {other.info.user} to {shop.info.user}")
    shop.execute(f"set role {other.info.user}")
    assert found(shop) == []
    shop.execute("reset role")
    assert [o.id for o in found(shop)] == [id]


def test_a_function_of_somebody_else_shows_whose_session_it_is(db, shop, other):
    send(shop)
    db.execute(
        "create function public.theirs() returns bigint language sql security definer"
        " as 'select count(*) from notify.outcomes'"
    )
    db.execute(f"alter function public.theirs() owner to {shop.info.user}")
    assert other.execute("select public.theirs() as n").fetchone().n == 0
    assert shop.execute("select public.theirs() as n").fetchone().n == 1
    db.execute("drop function public.theirs")


def test_whoever_was_not_granted_it_may_not_ask(db, dsn):
    with role(db) as user:
        db.execute(f"grant usage on schema notify to {user}")
        with (
            psycopg.connect(dsn, user=user, password="p") as session,
            pytest.raises(psycopg.errors.InsufficientPrivilege, match="view outcomes"),
        ):
            session.execute("select * from notify.outcomes")


def test_a_reader_of_all_tables_sees_its_own_alone(db, dsn, shop):
    """As notify_reader and notify_ops do; all rows are in the table, which they may read."""
    send(shop)
    with role(db) as user:
        db.execute(f"grant usage on schema notify to {user}")
        db.execute(f"grant select on all tables in schema notify to {user}")
        db.execute("select notify.keep_rights()")
        with psycopg.connect(dsn, user=user, password="p", autocommit=True) as session:
            assert session.execute("select * from notify.outcomes").fetchall() == []
            assert len(session.execute("select id from notify.notifications").fetchall()) == 1


def test_a_transaction_finds_what_it_has_enqueued_itself(db, shop):
    put(db, "sent", producer="shop")
    with shop.transaction():
        id = send(shop)
        mine = (
            "select id from notify.outcomes"
            " where transaction_id = pg_current_xact_id() and id >= notify.id_floor(now())"
        )
        assert [o.id for o in shop.execute(mine)] == [id]


def test_it_survives_a_rollback_of_the_functions_and_goes_with_its_own(db, dsn, shop):
    id = send(shop)
    assert yoyo(dsn, "rollback", "--revision", current_migration()).returncode == 0
    assert [o.id for o in found(shop)] == [id]
    assert yoyo(dsn, "rollback", "--revision", "0019-outcomes").returncode == 0
    assert db.execute("select to_regclass('notify.outcomes') as v").fetchone().v is None
    names = {file.name.partition(".")[0] for file in MIGRATIONS.glob("00*")}
    later = sorted(name for name in names if name > "0019-outcomes")
    assert migrate(dsn) == ["0019-outcomes", *later, current_migration()]
    assert [o.id for o in found(shop)] == [id]
