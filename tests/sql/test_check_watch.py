"""notify.check_watch(): asked before anything is made; test_on_change.py has each refusal."""

import psycopg
import pytest

from tests.sql.watching import ORDERS

CHECK = "select notify.check_watch('orders', %s, %s, %s)"


def test_a_watch_that_could_work_is_let_through(db):
    db.execute(ORDERS)
    db.execute(CHECK, [["delete", "insert"], ["total", "id"], "skip"])
    db.execute(CHECK, [["update"], None, "fail"])


def test_the_argument_is_named_as_the_column(db):
    db.execute(ORDERS)
    for column, given in {
        "events": [["truncate"], None, "fail"],
        "columns": [["insert"], ["gone"], "fail"],
        "on_error": [["insert"], None, "stop"],
    }.items():
        with pytest.raises(psycopg.errors.CheckViolation) as caught:
            db.execute(CHECK, given)
        assert caught.value.diag.column_name == column
