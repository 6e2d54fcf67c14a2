"""`notify schema`: the SQL that the database of somebody's tests loads, as its owner."""

import shutil
import subprocess

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from service.ledger.schema import current_migration
from tests.producers import role

# All that the schema has, and how each is defined; of the days only the default.
DEFINED = """
select 'function', p.oid::regprocedure::text, pg_get_functiondef(p.oid)
from pg_proc p where p.pronamespace = 'notify'::regnamespace and p.prokind in ('f', 'p')
union all
select 'trigger', t.tgrelid::regclass || '.' || t.tgname, pg_get_triggerdef(t.oid)
from pg_trigger t join pg_class c on c.oid = t.tgrelid
where c.relnamespace = 'notify'::regnamespace and not t.tgisinternal and c.relname !~ '_[0-9]{8}$'
union all
select 'constraint', k.conrelid::regclass || '.' || k.conname, pg_get_constraintdef(k.oid)
from pg_constraint k join pg_class c on c.oid = k.conrelid
where c.relnamespace = 'notify'::regnamespace and c.relname !~ '_[0-9]{8}$'
union all
select 'index', i.indexname, i.indexdef from pg_indexes i
where i.schemaname = 'notify' and i.tablename !~ '_[0-9]{8}$'
union all
select 'view', v.viewname, v.definition from pg_views v where v.schemaname = 'notify'
union all
select 'column', a.attrelid::regclass || '.' || a.attname,
  format_type(a.atttypid, a.atttypmod) || a.attnotnull
    || coalesce(pg_get_expr(d.adbin, d.adrelid), '')
from pg_attribute a join pg_class c on c.oid = a.attrelid
left join pg_attrdef d on (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
where c.relnamespace = 'notify'::regnamespace and c.relkind in ('r', 'p') and a.attnum > 0
  and not a.attisdropped and c.relname !~ '_[0-9]{8}$'
order by 1, 2
"""
SETTINGS = (
    "select array_agg(name || '=' || setting order by name) from pg_settings"
    " where name in ('search_path', 'lock_timeout', 'client_min_messages',"
    " 'standard_conforming_strings')"
)


@pytest.fixture
def text(notify):
    """Give what the command prints."""
    done = notify("schema")
    assert (done.code, done.err) == (0, "")
    return done.out


@pytest.fixture
def owned(db, empty_dsn):
    """Connect to an empty database as its owner, who is nothing else."""
    with role(db) as name:
        with psycopg.connect(empty_dsn, autocommit=True) as admin:
            alter = SQL("alter database {} owner to {}")
            admin.execute(alter.format(Identifier(admin.info.dbname), Identifier(name)))
        with psycopg.connect(empty_dsn, user=name, password="p") as owner:
            yield owner
        with psycopg.connect(empty_dsn, autocommit=True) as admin:
            admin.execute(SQL("reassign owned by {} to current_user").format(Identifier(name)))


def defined(db):
    """Read what there is; names are qualified whatever the session's search_path."""
    db.execute("select set_config('search_path', 'pg_catalog', false)")
    return [tuple(row) for row in db.execute(DEFINED)]


def test_it_makes_what_migrate_makes(db, owned, text):
    owned.execute(text)
    assert defined(owned) == defined(db)


def test_it_may_run_again_and_keeps_what_was_sent(owned, text):
    owned.execute(text)
    before = defined(owned)
    owned.execute("select notify.send('log', 'me', '{}', reference => 'order-42')")
    owned.execute(text)
    assert defined(owned) == before
    [[status]] = owned.execute("select status from notify.outcomes(by_reference => 'order-42')")
    assert status == "queued"


def test_it_is_part_of_the_callers_transaction_and_leaves_its_settings(owned, text):
    owned.execute("set local search_path = public; set local lock_timeout = '7s'")
    before = owned.execute(SETTINGS).fetchone()
    owned.execute(text)
    assert owned.execute(SETTINGS).fetchone() == before
    owned.rollback()
    assert owned.execute("select to_regnamespace('notify')").fetchone() == (None,)


def test_it_is_one_statement_for_drivers_that_prepare(owned, text):
    owned.execute(text, prepare=True)
    assert owned.execute("select to_regprocedure('notify.new_id()') is not null").fetchone()[0]


def test_strings_are_read_as_they_were_meant_in_an_old_setting(db, owned, text):
    owned.execute("set standard_conforming_strings = off; set escape_string_warning = off")
    owned.execute(text)
    owned.execute("set standard_conforming_strings = on")
    assert defined(owned) == defined(db)


def test_it_makes_nothing_outside_our_schema(owned, text):
    owned.execute(text)
    assert owned.execute("select to_regclass('public._yoyo_migration')").fetchone() == (None,)


def test_it_says_its_version(text):
    assert text.splitlines()[0].endswith(f" {current_migration()}.")


@pytest.mark.needs("psql")
def test_psql_loads_it(owned, text, tmp_path):
    path = tmp_path / "notify.sql"
    path.write_text(text, encoding="utf-8")
    where = {"PGPASSWORD": owned.info.password, "PATH": "/usr/bin:/bin"}
    command = [
        shutil.which("psql"), "-X", "-v", "ON_ERROR_STOP=1",
        "-h", owned.info.host, "-p", str(owned.info.port),
        "-U", owned.info.user, "-d", owned.info.dbname, "-f", str(path),
    ]  # fmt: skip
    done = subprocess.run(command, env=where, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "DO\n")
    assert owned.execute("select to_regclass('notify.notifications') is not null").fetchone()[0]
