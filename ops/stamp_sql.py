"""Name the migration that deploys sql/ after its hash: `python -m ops.stamp_sql [--check]`.

yoyo knows a migration by its file name. One file, migrations/9999-sql-<hash>.py, deploys all of
sql/. Edit sql/ and run this: the renamed file is a new migration, and plain `yoyo apply` deploys
it. What the migration does is in that file alone.
"""

import hashlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MIGRATIONS = ROOT / "migrations"


def wanted() -> str:
    """Name the migration after what it deploys and after the migrations that it follows."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "sql").glob("*.sql")):
        text = path.read_bytes().replace(b"\r\n", b"\n")
        digest.update(path.name.encode() + b"\0" + text + b"\0")
    for path in sorted(MIGRATIONS.glob("[0-8]*")):
        digest.update(path.name.encode() + b"\0")
    return f"9999-sql-{digest.hexdigest()[:12]}.py"


def main() -> int:
    """Rename the migration; with --check only say, by exit code 1, that it must be."""
    there = sorted(MIGRATIONS.glob("9999-sql-*.py"))
    names, name = [path.name for path in there], wanted()
    if names == [name]:
        return 0
    texts = {path.read_text(encoding="utf-8") for path in there}
    if len(texts) != 1:  # a merge leaves two names, but of one text
        print(f"{names} in migrations/ differ: keep the right one", file=sys.stderr)
        return 1
    if "--check" in sys.argv:
        print(f"sql/ changed: run python -m ops.stamp_sql ({names} -> {name})", file=sys.stderr)
        return 1
    for path in there:
        path.unlink()
    (MIGRATIONS / name).write_text(texts.pop(), encoding="utf-8")
    print(name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
