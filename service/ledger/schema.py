"""Where the schema's files are: beside service/ in a checkout, inside the package in a wheel."""

import re
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
TABLE = re.compile(r"^create table if not exists notify\.(\w+)", re.MULTILINE)
VIEW = re.compile(r"^ *create view notify\.(\w+)", re.MULTILINE)
SIGNATURE = re.compile(
    r"^comment on (?:function|procedure) notify\.(\w+\([^;]*?\))\s+is\s", re.MULTILINE
)

# Others' tables in our schema, and others' tables and views elsewhere that depend on ours: they
# would stop a rollback half done. Any role may ask. The argument is
# tables() and views().
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
    """Name the migration that deploys sql/ as it is in these files; yoyo marks it last.

    A database is current when _yoyo_migration holds this name: it is a hash of sql/ and of the
    numbered migrations, and the migration depends on all of them.
    """
    return max(path.stem for path in (schema_root() / "migrations").glob("9999-sql-*.py"))


@cache
def migrations() -> list[str]:
    """Name the migrations, by which yoyo knows them."""
    paths = (schema_root() / "migrations").glob("[0-9]*")
    names = {path.name for path in paths if not path.name.endswith(".rollback.sql")}
    return sorted(name.partition(".")[0] for name in names)


@cache
def functions() -> dict[str, str]:
    """Return the text of each file of sql/ by its function's signature, such as `lead()`."""
    texts = [
        path.read_text(encoding="utf-8") for path in sorted((schema_root() / "sql").glob("*.sql"))
    ]
    return {
        re.sub(r"\s+", " ", match[1]): text for text in texts for match in SIGNATURE.finditer(text)
    }


@cache
def tables() -> list[str]:
    """Name the tables that migrations make; the partitions of days are not among them."""
    texts = (path.read_text(encoding="utf-8") for path in schema_root().glob("migrations/*.sql"))
    return sorted(name for text in texts for name in TABLE.findall(text))


@cache
def views() -> list[str]:
    """Name the views that migrations make."""
    texts = (path.read_text(encoding="utf-8") for path in schema_root().glob("migrations/*.*"))
    return sorted({name for text in texts for name in VIEW.findall(text)})
