"""Where the schema's files are: beside service/ in a checkout, inside the package in a wheel."""

import re
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
TABLE = re.compile(r"^create table if not exists notify\.(\w+)", re.MULTILINE)
SIGNATURE = re.compile(r"^comment on function notify\.(\w+\([^;]*?\))\s+is\s", re.MULTILINE)

# What stands in our schema and is not ours, and what elsewhere hangs on our tables: a rollback
# would end there, half done. Any role may ask. Its argument is tables().
STRANGERS = """
select pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'notify' and c.relkind in ('r', 'p', 'v', 'm', 'f')
  and c.relname !~ '^(notifications|attempts)_[0-9]{8}$' and c.relname <> all(%s)
union
select pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)
from pg_catalog.pg_depend d
join pg_catalog.pg_class ours
  on ours.oid = d.refobjid and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
join pg_catalog.pg_namespace o on o.oid = ours.relnamespace and o.nspname = 'notify'
left join pg_catalog.pg_rewrite r on r.oid = d.objid
  and d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
left join pg_catalog.pg_constraint k on k.oid = d.objid
  and d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
join pg_catalog.pg_class c on c.oid = coalesce(r.ev_class, k.conrelid)
join pg_catalog.pg_namespace n on n.oid = c.relnamespace and n.nspname <> 'notify'
order by 1
"""


def schema_root() -> Path:
    """Return the directory that holds migrations/ and sql/."""
    packed = PACKAGE / "_schema"
    return packed if packed.is_dir() else PACKAGE.parent


def current_migration() -> str:
    """Name the migration that deploys sql/ as these files have it; yoyo marks it last.

    A database is current when _yoyo_migration holds it: its name is a hash of sql/ and of the
    numbered migrations, and it depends on all of them.
    """
    return max(path.stem for path in (schema_root() / "migrations").glob("9999-sql-*.py"))


@cache
def functions() -> dict[str, str]:
    """Give the text of each file of sql/, by the signature of its function: `lead()`."""
    texts = [
        path.read_text(encoding="utf-8") for path in sorted((schema_root() / "sql").glob("*.sql"))
    ]
    return {
        re.sub(r"\s+", " ", found[1]): text for text in texts for found in SIGNATURE.finditer(text)
    }


@cache
def tables() -> list[str]:
    """Name the tables that migrations make; the days' partitions come by themselves."""
    texts = (path.read_text(encoding="utf-8") for path in schema_root().glob("migrations/*.sql"))
    return sorted(name for text in texts for name in TABLE.findall(text))
