"""Refusing: what a CHECK would raise, and a hint."""

import psycopg
import pytest


@pytest.fixture
def db(shared_db):
    return shared_db


def test_it_raises_a_check_violation_with_rule_column_and_hint(db):
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        db.execute("select notify.refuse('a_rule', 'a_column', 'Do that.')")
    diag = caught.value.diag
    assert (diag.schema_name, diag.table_name, diag.column_name, diag.constraint_name) == (
        "notify",
        "notifications",
        "a_column",
        "a_rule",
    )
    assert "a_rule" in diag.message_primary
    assert diag.message_hint == "Do that."
