"""A dump moves watches with their tables, to another server too; a table alone goes silent."""

import subprocess

import psycopg
import pytest
from psycopg.rows import namedtuple_row

from service.ledger.migrate import migrate
from tests.sql.test_faults import all_faults
from tests.sql.test_restore import both, moved, source, target  # noqa: F401 - fixtures
from tests.sql.watching import ORDERS, ops, told, watch

pytestmark = [pytest.mark.slow, pytest.mark.needs("older_postgres")]
WAYS = pytest.mark.parametrize(
    ("source", "target"),
    [("newer", "older"), ("older", "newer"), ("newer", "newer")],
    indirect=True,
)


def connect(url):
    return psycopg.connect(url, autocommit=True, row_factory=namedtuple_row)


def make(url):
    """A table with a column that was dropped and one that was renamed, and a watch of it."""
    migrate(url)
    with connect(url) as db:
        db.execute(ORDERS)
        db.execute("alter table orders add gone int; alter table orders add note text")
        db.execute("alter table orders drop gone; alter table orders rename note to remark")
        db.execute("insert into orders values (1, 'open', 5)")
        watch(db, columns=["id", "remark"], condition="new.remark <> 'a''b\\c'", reference="id")


@WAYS
def test_a_watch_is_restored_with_its_database(both, source, target):  # noqa: F811
    make(source)
    errors = moved(both, source, target)
    assert [e for e in errors if "transaction_timeout" not in e] == []  # 18 says it, 15 has none
    assert all_faults(target) == []
    with connect(target) as db:
        assert told(db) == []
        db.execute("update orders set remark = 'new', status = 'x'")
        [row] = told(db)
        assert (row.reference, row.new) == ("1", {"id": 1, "remark": "new"})
        assert watch(db) == 2


@pytest.mark.parametrize(("source", "target"), [("newer", "older")], indirect=True)
def test_a_table_that_is_restored_alone_is_silent_and_named(both, source, target):  # noqa: F811
    make(source)
    migrate(target)
    moved(both, source, target, "-n", "public", "-t", "orders")
    dumped = subprocess.run(
        [both.programs / "pg_dump", "-t", "orders", source],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    with connect(target) as db:
        db.execute("drop table if exists orders")
        db.execute("select set_config('search_path', '', false)")
        text = dumped.stdout.decode()
        before, _, rest = text.partition("COPY ")
        statements = [*before.splitlines(), *rest.partition("\\.\n")[2].splitlines()]
        kept = "\n".join(
            s for s in statements if not s.startswith(("\\", "SET transaction_timeout"))
        )
        db.execute(kept)
        db.execute("insert into public.orders values (2, 'open', 5)")
    with connect(target) as db:
        assert ops(db) == []
        assert "names no watch of that table, and does nothing" in " ".join(all_faults(target))
