"""Where the schema's files are: beside service/ in a checkout, inside the package in a wheel."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


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
