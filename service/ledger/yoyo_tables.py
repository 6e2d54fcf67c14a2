"""Yoyo's own tables in public, where another program may record its migrations as well."""

from typing import Any

import psycopg
from psycopg import errors
from psycopg.sql import SQL, Literal

from service.errors import Unfit
from service.ledger.db import one_line
from service.ledger.schema import migrations

OWNERS = """
select distinct pg_catalog.pg_get_userbyid(o.owner) from (
  select n.nspowner from pg_catalog.pg_namespace n where n.nspname = 'notify'
  union all
  select c.relowner from pg_catalog.pg_class c
  where c.relnamespace = pg_catalog.to_regnamespace('notify') or c.oid in (
    pg_catalog.to_regclass('public._yoyo_migration'), pg_catalog.to_regclass('public._yoyo_log'),
    pg_catalog.to_regclass('public._yoyo_version'))
  union all
  select p.proowner from pg_catalog.pg_proc p
  where p.pronamespace = pg_catalog.to_regnamespace('notify')) as o(owner)
order by 1
"""
# Drops yoyo's tables unless all three are there, with a version in the last. Yoyo's tables may be
# another program's too: a table in which it recorded something is refused. One of a yoyo before 6,
# without a migration_id, is never ours.
DROP_INCOMPLETE = r"""
do $$
declare
  v_is_whole boolean := to_regclass('public._yoyo_migration') is not null
    and to_regclass('public._yoyo_log') is not null
    and to_regclass('public._yoyo_version') is not null;
  v_table text;
  v_theirs text;
begin
  if v_is_whole then
    select count(*) > 0 into v_is_whole from public._yoyo_version;
  end if;
  if v_is_whole then
    return;
  end if;
  foreach v_table in array '{{_yoyo_migration,_yoyo_log}}'::text[] loop
    continue when to_regclass('public.' || v_table) is null;
    execute format('lock table public.%I', v_table);
    execute format('select coalesce(r ->> ''migration_id'', r ->> ''id'', ''?'')
      from (select to_jsonb(t) from public.%I t) as rows(r)
      where (r ->> ''migration_id'' = any ($1)
        or r ->> ''migration_id'' ~ ''^9999-sql-'') is not true
      limit 1', v_table) into v_theirs using {ours}::text[];
    if v_theirs is not null then
      raise exception 'public.% records migrations that are not ours, such as %, and yoyo''s other '
        'tables are missing or empty: restore them, or let a newer yoyo, or the release that made '
        'those, apply them first',
        v_table, v_theirs;
    end if;
  end loop;
  drop table if exists public._yoyo_migration, public._yoyo_log, public._yoyo_version;
end $$
"""


def owners(conn: psycopg.Connection[Any]) -> list[str]:
    """Name the roles that own schema notify, what is in it, or yoyo's tables."""
    return [row[0] for row in conn.execute(OWNERS)]


def drop_incomplete(conn: psycopg.Connection[Any]) -> None:
    """Drop yoyo's tables if a restore brought only some of them: migrations may run again.

    Raises Unfit where they are another program's as well.
    """
    try:
        conn.execute(SQL(DROP_INCOMPLETE).format(ours=Literal(migrations())))
    except errors.RaiseException as error:
        raise Unfit(one_line(error)) from error
