"""The schema as one SQL text, for databases that no role of ours will ever see: those of tests."""

import glob
import re
from collections.abc import Iterator

from yoyo import read_migrations

from service.ledger.schema import current_migration, schema_root
from service.process.distribution import DISTRIBUTION, installed_version

# What only a database with yoyo's tables needs, and the days of a ledger that is kept for long: the
# default partition takes the rows of a test.
OF_A_DEPLOY = re.compile(
    r"\s*(?:(?:delete from|update) public\._yoyo_migration"
    r"|do \$\$ begin perform notify\.keep_partitions)"
)
TEXT = """\
-- Schema notify, of {version}.
--
-- For the databases of tests: tables, functions and triggers, and nothing that sends. It may run
-- again, needs a role that may create a schema in the database, and is one statement, so that any
-- driver takes it. A database that is to send is brought up by `notify migrate`.
do $notify_do$
declare
  v_settings jsonb := (
    select pg_catalog.jsonb_object_agg(s.name, pg_catalog.current_setting(s.name))
    from pg_catalog.pg_settings s
    where s.name in (
      'search_path', 'standard_conforming_strings', 'lock_timeout', 'client_min_messages'));
begin
if pg_catalog.to_regnamespace('notify') is null and not
  pg_catalog.has_database_privilege(pg_catalog.current_database(), 'create') then
  raise insufficient_privilege using message = pg_catalog.format(
    '%s may not create a schema in %s', current_user, pg_catalog.current_database());
end if;
set local client_min_messages = warning;
set local standard_conforming_strings = on;
execute $notify_sql$
{statements}
$notify_sql$;
perform pg_catalog.set_config(s.key, s.value, true) from pg_catalog.jsonb_each_text(v_settings) s;
end
$notify_do$;
"""


def schema_text() -> str:
    """Return what `notify migrate` would run, in one statement; the session's settings stay."""
    return TEXT.format(
        version=f"{DISTRIBUTION} {installed_version()}, {current_migration()}",
        statements="\n;\n".join(statement.strip().rstrip(";") for statement in steps()),
    )


def steps() -> Iterator[str]:
    """Give the statements of all migrations, in order. Each may run again."""
    for migration in read_migrations(glob.escape(str(schema_root() / "migrations"))):
        migration.load()
        for wrapper in migration.steps:
            statement = wrapper.step._apply  # None: it only rolls back
            if statement and not OF_A_DEPLOY.match(statement):
                yield statement
