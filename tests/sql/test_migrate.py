"""Migrations: yoyo's command and migrate() agree, at any moment, from any number of processes."""

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from threading import Thread

import psycopg
import pytest
from psycopg import errors
from psycopg.rows import namedtuple_row
from psycopg.sql import SQL, Identifier
from yoyo import read_migrations

from service.errors import DatabaseAway, StartError
from service.ledger.migrate import check_version, migrate, start_errors
from service.ledger.schema import current_migration, schema_root
from tests.ledger import enqueue, row
from tests.producers import role as new_role
from tests.sql.test_keep_rights import callable_by
from tests.waiting import wait_for

ROOT = schema_root()
NUMBERED = sorted(
    path.stem
    for path in (Path(__file__).resolve().parents[2] / "migrations").glob("[0-8]*")
    if path.suffix in (".sql", ".py") and not path.name.endswith(".rollback.sql")
)
MIGRATE = "import sys; from service.ledger.migrate import migrate; print(*migrate(sys.argv[1]))"


def yoyo(url, *arguments, root=ROOT):
    command = [sys.executable, "-m", "yoyo", *arguments]
    return subprocess.run(
        command,
        env=os.environ | {"DATABASE_URL": url},
        cwd=root,
        check=False,
        capture_output=True,
        text=True,
        timeout=200,
    )


def connect(url):
    return closing(psycopg.connect(url, autocommit=True, row_factory=namedtuple_row))


def catalog(url):
    """Say what a migrated database consists of, in words that two databases can be compared by."""
    query = """
      select 'function ' || p.oid::regprocedure || md5(prosrc) || coalesce(proconfig::text, '')
        || coalesce(obj_description(p.oid), '') as what
      from pg_proc p where pronamespace = 'notify'::regnamespace
      union all
      select 'column ' || a.attrelid::regclass || '.' || attname || ' ' || atttypid::regtype
        || attnotnull || coalesce(pg_get_expr(adbin, adrelid), '')
      from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
      join pg_class c on c.oid = a.attrelid
      where c.relnamespace = 'notify'::regnamespace and attnum > 0 and c.relkind in ('r', 'p')
      union all
      select 'constraint ' || conrelid::regclass || ' ' || conname || pg_get_constraintdef(oid)
      from pg_constraint where connamespace = 'notify'::regnamespace
      union all
      select 'index ' || pg_get_indexdef(i.indexrelid)
      from pg_index i join pg_class c on c.oid = i.indexrelid
      where c.relnamespace = 'notify'::regnamespace
      union all
      select 'view ' || c.oid::regclass || pg_get_viewdef(c.oid) || c.reloptions::text
      from pg_class c where c.relnamespace = 'notify'::regnamespace and c.relkind = 'v'
      union all
      select 'trigger ' || pg_get_triggerdef(oid) from pg_trigger
      where tgrelid = 'notify.notifications'::regclass
      order by 1"""
    with connect(url) as db:
        return [r.what for r in db.execute(query)]


def applied(url):
    query = (
        "select migration_id from _yoyo_migration where migration_hash !~ '^replaced' order by 1"
    )
    with connect(url) as db:
        return [r.migration_id for r in db.execute(query)]


@pytest.fixture
def tree(tmp_path):
    """A copy of the project's schema that a test may edit."""
    for name in ("migrations", "sql", "ops"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "yoyo.ini", tmp_path)
    return tmp_path


def stamp(tree):
    command = [sys.executable, "-m", "ops.stamp_sql"]
    subprocess.run(command, cwd=tree, check=True, capture_output=True, timeout=200)


def test_migrations_stand_in_one_chain():
    """Side by side, their order would be nobody's, and rolling one back would leave later ones."""
    found = read_migrations(str(ROOT / "migrations"))
    depends = {m.id: [d.id for d in m.depends] for m in found if m.id in NUMBERED}
    assert depends == {
        name: [before] if before else [] for before, name in pairwise([None, *NUMBERED])
    }


def test_an_empty_database_becomes_current_and_a_second_call_does_nothing(empty_dsn):
    assert migrate(empty_dsn) == [*NUMBERED, current_migration()]
    assert migrate(empty_dsn) == []
    with connect(empty_dsn) as db:
        enqueue(db)


def test_yoyo_apply_and_migrate_make_the_same_database(dsn, empty_dsn):
    for _ in range(2):
        result = yoyo(empty_dsn, "apply")
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert catalog(empty_dsn) == catalog(dsn)
    assert applied(empty_dsn) == applied(dsn)
    assert migrate(empty_dsn) == []


def test_migrate_prints_nothing(empty_dsn, capfd):
    migrate(empty_dsn)
    assert capfd.readouterr() == ("", "")


def test_a_changed_function_is_deployed_and_its_revert_too(empty_dsn, tree):
    body = "select obj_description('notify.lead'::regproc) as c"
    file = tree / "sql" / "lead.sql"
    original = file.read_text()
    yoyo(empty_dsn, "apply", root=tree)
    for text in (original.replace("session leads';", "session LEADS';"), original):
        file.write_text(text)
        stamp(tree)
        assert yoyo(empty_dsn, "apply", root=tree).returncode == 0
        with connect(empty_dsn) as db:
            assert ("LEADS" in db.execute(body).fetchone().c) == ("LEADS" in text)
    assert applied(empty_dsn) == [*NUMBERED, current_migration()]


def ready(url, name):
    """Say whether a process whose sql/ has this name would be ready for work."""
    with connect(url) as db:
        return db.execute(
            "select 1 from _yoyo_migration where migration_id = %s", [name]
        ).fetchone()


@pytest.mark.slow  # nine times yoyo
def test_processes_of_the_deploy_before_stay_ready_until_the_next(empty_dsn, tree):
    names = []
    for text in ("", "-- another", "-- a third"):
        with (tree / "sql" / "lead.sql").open("a") as file:
            file.write(text)
        stamp(tree)
        names.append(max(path.stem for path in (tree / "migrations").glob("9999-*")))
        for _ in range(2):  # the second time as if it had been killed before its mark
            yoyo(empty_dsn, "apply", root=tree)
            with connect(empty_dsn) as db:
                assert all(ready(empty_dsn, name) for name in names[-2:])
                db.execute("delete from _yoyo_migration where migration_id = %s", [names[-1]])
        yoyo(empty_dsn, "apply", root=tree)
    assert not ready(empty_dsn, names[0])
    assert yoyo(empty_dsn, "rollback", "--revision", names[-1], root=tree).returncode == 0
    assert not ready(empty_dsn, names[-2])  # there are no functions


def test_a_broken_function_changes_nothing_and_is_tried_again(empty_dsn, tree):
    yoyo(empty_dsn, "apply", root=tree)
    before = catalog(empty_dsn)
    (tree / "sql" / "zz.sql").write_text("create function notify.zz() returns int language nope;")
    stamp(tree)
    for _ in range(2):
        assert yoyo(empty_dsn, "apply", root=tree).returncode != 0
        assert catalog(empty_dsn) == before


def test_the_latest_step_can_be_rolled_back_and_applied_again(dsn):
    before = catalog(dsn)
    with connect(dsn) as db:
        [id] = enqueue(db)
        assert yoyo(dsn, "rollback", "--revision", current_migration()).returncode == 0
        [between] = enqueue(db)  # producers go on without the functions
        assert migrate(dsn) == [current_migration()]
        assert row(db, id) and row(db, between)
    assert catalog(dsn) == before


def test_after_a_rollback_whoever_inserts_may_call_what_the_accept_of_before_calls(dsn):
    """It runs with their rights: without EXECUTE a role that has INSERT alone could not send."""
    with connect(dsn) as db, new_role(db) as user:
        assert yoyo(dsn, "rollback", "--revision", current_migration()).returncode == 0
        assert callable_by(db, user) >= {"unmet_rule", "unmet_mail_rule", "is_http_url"}
        migrate(dsn)
        assert callable_by(db, user) == {"new_id"}


def test_a_rollback_drops_every_overload(dsn):
    with connect(dsn) as db:
        db.execute("create function notify.lead(text) returns int language sql as 'select 1'")
        assert yoyo(dsn, "rollback", "--revision", current_migration()).returncode == 0
        left = "select from pg_proc where oid::regproc::text = 'notify.lead'"
        assert not db.execute(left).fetchone()


def test_all_can_be_rolled_back_and_applied_again(dsn):
    before = catalog(dsn)
    assert yoyo(dsn, "rollback", "--all").returncode == 0
    with connect(dsn) as db:
        assert not db.execute("select 1 from pg_namespace where nspname = 'notify'").fetchone()
    assert len(migrate(dsn)) == len(NUMBERED) + 1
    assert catalog(dsn) == before


@pytest.mark.slow  # up to five seconds each
@pytest.mark.parametrize("name", NUMBERED[1:])
def test_a_ledger_can_go_back_to_each_schema_and_come_again(dsn, name):
    """A column that a rollback dropped is still in the catalog, and nobody's any more."""
    assert yoyo(dsn, "rollback", "--revision", name).returncode == 0
    assert migrate(dsn) == [*NUMBERED[NUMBERED.index(name) :], current_migration()]
    assert migrate(dsn) == []
    with connect(dsn) as db:
        enqueue(db)


def test_many_processes_at_once_apply_each_migration_once(empty_dsn):
    commands = [[sys.executable, "-c", MIGRATE, empty_dsn]] * 3 + [
        [sys.executable, "-m", "yoyo", "apply"]
    ]
    environment = os.environ | {"DATABASE_URL": empty_dsn}
    processes = [
        subprocess.Popen(c, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for c in commands
    ]
    outputs = [p.communicate(timeout=200)[0] for p in processes]
    assert [p.returncode for p in processes] == [0] * 4
    assert sum(len(output.split()) for output in outputs) in (0, len(NUMBERED) + 1)
    with connect(empty_dsn) as db:
        log = db.execute("select migration_id from _yoyo_log").fetchall()
    assert sorted(r.migration_id for r in log) == [*NUMBERED, current_migration()]


@pytest.mark.parametrize("blocked_by", ["_yoyo_log", "_yoyo_migration"])
def test_a_migration_killed_between_its_commit_and_its_mark_is_done_again(dsn, blocked_by):
    """The gap is yoyo's own: held open by a lock on a table that it writes after the commit."""
    before = catalog(dsn)
    yoyo(dsn, "rollback", "--revision", "0002-notifications")
    with connect(dsn) as db:
        with db.transaction():
            db.execute(SQL("lock table {} in share mode").format(Identifier(blocked_by)))
            process = subprocess.Popen([sys.executable, "-c", MIGRATE, dsn], cwd=ROOT)
            waiting = "select 1 from pg_locks where relation = %s::regclass and not granted"
            wait_for(lambda: db.execute(waiting, [blocked_by]).fetchone())
            process.send_signal(signal.SIGKILL)
            process.wait(60)
            db.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where application_name = 'notify-migrate'"
                " and datname = current_database()"
            )
        assert db.execute("select to_regclass('notify.notifications') as t").fetchone().t
    assert migrate(dsn)[0] == "0002-notifications"
    assert catalog(dsn) == before


BEFORE_6 = """
create table _yoyo_migration (id varchar(255) primary key, ctime timestamp);
insert into _yoyo_migration values ('0001-schema', now()), ('0001-customers', now())
"""
THEIRS = """
insert into _yoyo_migration values ('h', '0001-customers', now());
insert into _yoyo_log (id, migration_id, migration_hash, operation)
values ('1', '0001-customers', 'h', 'apply')
"""


def books(db):
    """Read what yoyo has written down."""
    found = db.execute(
        "select relname as t from pg_class where relnamespace = 'public'::regnamespace"
        r" and relname like '\_yoyo%' and relkind = 'r' order by 1"
    ).fetchall()
    return {
        r.t: db.execute(SQL("select * from {}").format(Identifier(r.t))).fetchall() for r in found
    }


@pytest.mark.parametrize(
    ("lost", "named"),
    [
        ("drop table _yoyo_version", "_yoyo_migration"),
        ("delete from _yoyo_version", "_yoyo_migration"),
        ("drop table _yoyo_log, _yoyo_version", "_yoyo_migration"),
        ("drop table _yoyo_migration", "_yoyo_log"),
        ("drop table _yoyo_migration, _yoyo_version", "_yoyo_log"),
        ("drop table _yoyo_migration, _yoyo_log, _yoyo_version;" + BEFORE_6, "_yoyo_migration"),
    ],
)
def test_what_another_program_told_yoyo_is_kept(dsn, lost, named):
    with connect(dsn) as db:
        db.execute(THEIRS)
        db.execute(lost)
        before = books(db)
        with pytest.raises(StartError, match=rf"^not migrated: public\.{named} records .*0001-"):
            migrate(dsn)
        assert books(db) == before


def test_a_yoyo_of_old_is_refused_before_anything_is_made(empty_dsn):
    with connect(empty_dsn) as db:
        db.execute(BEFORE_6)
        before = books(db)
        with pytest.raises(StartError, match=r"public\._yoyo_migration records"):
            migrate(empty_dsn)
        assert books(db) == before
        assert db.execute("select to_regnamespace('notify') as n").fetchone().n is None


def test_yoyo_may_keep_another_programs_migrations_beside_ours(dsn):
    """Its own lock, which we do not use, may be held meanwhile."""
    with connect(dsn) as db:
        db.execute("create table yoyo_lock (locked int primary key, ctime timestamp, pid int)")
        db.execute("insert into yoyo_lock values (1, now(), 1)")
        db.execute(THEIRS)
        before = books(db)
        assert migrate(dsn) == []
        assert books(db) == before


@pytest.mark.parametrize(
    "lost",
    [
        "drop table _yoyo_migration",
        "drop table _yoyo_migration, _yoyo_version",
        "drop table _yoyo_migration, _yoyo_log",
        "drop table _yoyo_log",
        "drop table _yoyo_version",
        "truncate _yoyo_migration, _yoyo_log, _yoyo_version",
    ],
)
def test_what_yoyo_knows_of_ours_alone_is_begun_anew(dsn, lost):
    with connect(dsn) as db:
        db.execute(
            "update _yoyo_migration set migration_id = '9999-sql-0123456789ab'"
            " where migration_id like '9999-%'"
        )
        db.execute(lost)
    assert migrate(dsn) == [*NUMBERED, current_migration()]


def test_each_migration_can_run_again_when_its_mark_is_lost(dsn):
    before = catalog(dsn)
    for name in [*NUMBERED, current_migration()]:
        with connect(dsn) as db:
            db.execute("delete from _yoyo_migration where migration_id = %s", [name])
        assert migrate(dsn) == [name]
    assert catalog(dsn) == before


def test_a_killed_migration_leaves_no_lock(empty_dsn):
    with connect(empty_dsn) as db:
        db.execute("select pg_advisory_lock(1852798057, 3)")
        process = subprocess.Popen([sys.executable, "-c", MIGRATE, empty_dsn], cwd=ROOT)
        waiting = (
            "select 1 from pg_stat_activity where application_name = 'notify-migrate'"
            " and datname = current_database()"
        )
        wait_for(lambda: db.execute(waiting).fetchone())
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    assert len(migrate(empty_dsn)) == len(NUMBERED) + 1


def test_another_migration_is_waited_for_and_not_forever(empty_dsn):
    with connect(empty_dsn) as db:
        db.execute("select pg_advisory_lock(1852798057, 3)")
        who = f"another migration is running: pid {db.info.backend_pid}, role {db.info.user}"
        with pytest.raises(StartError, match=who):
            migrate(empty_dsn, wait_s=0)
        waiter = Thread(target=migrate, args=(empty_dsn,))
        waiter.start()
        db.execute("select pg_advisory_unlock(1852798057, 3)")
        waiter.join()
    assert migrate(empty_dsn) == []


def test_a_table_held_by_a_long_transaction_is_said_so(dsn, db, other_db):
    db.execute("delete from _yoyo_migration where migration_id like '9999-%'")
    with other_db.transaction():
        other_db.execute("lock table notify.notifications in access exclusive mode")
        with pytest.raises(StartError, match="a long transaction holds a table"):
            migrate(dsn)


@pytest.fixture
def role(servers):
    """A role with a name and a password that URLs must encode."""
    name, password = "odd @:/%+user", "pa ss@:/%+&=?#word"
    with psycopg.connect(servers.database_url, autocommit=True) as admin:
        admin.execute(SQL("drop role if exists {}").format(Identifier(name)))
        admin.execute(
            SQL("create role {} login password {}").format(
                Identifier(name), psycopg.sql.Literal(password)
            )
        )
        yield name
        admin.execute(SQL("drop role {}").format(Identifier(name)))


def url_for(role, url):
    """Name the role in a URL, percent-encoded, with a query."""
    where = url.split("@", 1)[1]
    who = "odd%20%40%3A%2F%25%2Buser:pa%20ss%40%3A%2F%25%2B%26%3D%3F%23word"
    return f"postgres://{who}@{where}{'&' if '?' in where else '?'}sslmode=prefer"


def test_an_ordinary_owner_with_an_odd_name_and_password_may_migrate(role, servers, empty_dsn):
    with connect(empty_dsn) as db:
        database = db.info.dbname
    with psycopg.connect(servers.database_url, autocommit=True) as admin:
        admin.execute(SQL("grant {} to current_user").format(Identifier(role)))
        admin.execute(
            SQL("alter database {} owner to {}").format(Identifier(database), Identifier(role))
        )
    url = url_for(role, empty_dsn)
    assert yoyo(url, "apply").returncode == 0
    assert migrate(url) == []
    with connect(url) as db:
        db.execute(
            "insert into notifications (channel, recipient, payload) values ('log', 'r', '1')"
        )
    assert yoyo(url, "rollback", "--all").returncode == 0
    assert len(migrate(url)) == len(NUMBERED) + 1
    with connect(url) as db:
        db.execute("drop owned by current_user")


def test_a_timeout_that_the_database_sets_for_its_clients_ends_no_migration(empty_dsn):
    with connect(empty_dsn) as db:
        name = db.info.dbname
        db.execute(SQL("alter database {} set statement_timeout = '1ms'").format(Identifier(name)))
    assert migrate(empty_dsn) == [*NUMBERED, current_migration()]


def test_a_role_named_like_our_schema_finds_what_is_applied(empty_dsn):
    with connect(empty_dsn) as db:
        db.execute("create schema if not exists notify")
        db.execute(
            SQL("alter database {} set search_path = notify, public").format(
                Identifier(db.info.dbname)
            )
        )
    assert len(migrate(empty_dsn)) == len(NUMBERED) + 1
    assert migrate(empty_dsn) == []
    assert yoyo(empty_dsn, "apply").returncode == 0
    with connect(empty_dsn) as db:
        assert (
            db.execute("select count(*) as n from _yoyo_migration").fetchone().n
            == len(NUMBERED) + 1
        )


def test_a_role_that_may_not_create_is_told_whom_to_ask(role, empty_dsn):
    with pytest.raises(StartError, match=r"permission denied.*database's owner"):
        migrate(url_for(role, empty_dsn))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            "select",
            r"DATABASE_URL must name {owner}, who owns schema notify here, or a member",
        ),
        ("alter schema notify owner to {role}", r"belong to {both}: give all of it"),
        ("alter table _yoyo_log owner to {role}", r"belong to {both}: give all of it"),
    ],
)
def test_the_database_s_owner_is_told_whose_the_schema_is(role, empty_dsn, change, says):
    """As after a restore with --no-owner by another role, or ALTER SCHEMA … OWNER."""
    migrate(empty_dsn)
    with connect(empty_dsn) as db:
        owner, name = db.info.user, Identifier(db.info.dbname)
        db.execute(SQL("alter database {} owner to {}").format(name, Identifier(role)))
        db.execute("delete from _yoyo_migration where migration_id like '9999-%'")
        db.execute(SQL(change).format(role=Identifier(role)))
        both = " and ".join(sorted([owner, role]))
        expected = says.format(owner=re.escape(owner), both=re.escape(both))
        with pytest.raises(StartError, match=expected):
            migrate(url_for(role, empty_dsn))
        db.execute(SQL("reassign owned by {} to {}").format(Identifier(role), Identifier(owner)))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://nobody@127.0.0.1:1/x",
        "postgresql://nobody@127.0.0.1:1,127.0.0.1:1/x",
        "postgresql://nobody@/x?host=/nonexistent",
    ],
)
def test_a_server_that_cannot_be_reached_is_one_line(url):
    with pytest.raises(DatabaseAway, match="PostgreSQL cannot be reached") as caught:
        migrate(url)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "kind", [errors.ObjectInUse, errors.DeadlockDetected, errors.QueryCanceled]
)
def test_a_server_that_refuses_is_not_said_to_be_out_of_reach(kind):
    with pytest.raises(StartError, match="not migrated: as it says"), start_errors():
        raise kind("as it says")


def test_who_meets_another_in_the_catalog_is_told_to_try_again():
    with pytest.raises(StartError, match=r"concurrently updated; .*: try again$"), start_errors():
        raise errors.InternalError_("tuple concurrently updated")


def test_a_url_that_is_none_is_refused_in_one_line():
    with pytest.raises(StartError, match=r"^not migrated: .*percent-encoded"):
        migrate("postgresql://user@host/%zz")


def test_an_old_server_is_named():
    with pytest.raises(StartError, match=r"PostgreSQL 14 is too old: 15 or newer is needed"):
        check_version(140012)
    check_version(150000)


def test_the_schema_is_found_in_a_checkout_and_in_a_wheel(tmp_path, monkeypatch):
    monkeypatch.setattr("service.ledger.schema.PACKAGE", tmp_path / "service")
    assert schema_root() == tmp_path
    packed = tmp_path / "service" / "_schema"
    (packed / "migrations").mkdir(parents=True)
    (packed / "migrations" / "9999-sql-abc.py").touch()
    assert schema_root() == packed
    assert current_migration() == "9999-sql-abc"
    assert Path(ROOT / "sql" / "claim.sql").exists()
