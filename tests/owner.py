"""A role that owns our tables and bypasses no row security, as in production."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row
from psycopg.sql import SQL, Identifier

GIVE = """
create role {0} login password 'p';
grant all on schema notify to {0};
grant all on all tables in schema notify to {0};
grant all on all routines in schema notify to {0};
do $$
declare
  v_table regclass;
begin
  for v_table in select oid from pg_class
    where relnamespace = 'notify'::regnamespace and relkind in ('r', 'p')
  loop
    execute format('alter table %s owner to {0}', v_table);
  end loop;
end $$
"""
FORCED = "alter table notify.{} enable row level security, force row level security"


@contextmanager
def owning(db: psycopg.Connection[Any], dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """Let a new role own the tables, and connect as it, with row_security as servers set it."""
    name = Identifier(f"owner_{db.info.dbname}")
    db.execute(SQL(GIVE).format(name))
    url = f"postgresql://owner_{db.info.dbname}:p@{dsn.rpartition('@')[2]}"
    try:
        with psycopg.connect(url, autocommit=True, row_factory=namedtuple_row) as owner:
            yield owner
    finally:
        db.execute(SQL("reassign owned by {0} to current_user; drop owned by {0}").format(name))
        db.execute(SQL("drop role {}").format(name))


def force(db: psycopg.Connection[Any], table: str) -> None:
    """Hide all rows of a table from its owner, too."""
    db.execute(SQL(FORCED).format(Identifier(table)))
