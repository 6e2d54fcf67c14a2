"""A search by arguments that may be null is planned with their values.

A generic plan has to be right for all of them at once, and PostgreSQL changes to it after five
calls of a session: a page that took 40 ms took 260 from then on.
"""

import re
from pathlib import Path

import pytest

SQL = Path(__file__).resolve().parents[2] / "sql"
MAY_BE_NULL = re.compile(r"\(p_\w+ is null or")
# Of one row, or of one range of ids with the same index in any case.
ONE_PLAN = {"keys", "due_within"}
FUNCTIONS = {p.stem: p.read_text(encoding="utf-8") for p in sorted(SQL.glob("*.sql"))}
SEARCHES = [name for name, text in FUNCTIONS.items() if MAY_BE_NULL.search(text)]


def test_there_are_searches():
    assert {"page", "destinations", "redrive", "cancel_matching"} <= set(SEARCHES)


@pytest.mark.parametrize("name", [n for n in SEARCHES if n not in ONE_PLAN])
def test_a_search_is_planned_for_what_is_asked(name):
    assert "plan_cache_mode = force_custom_plan" in FUNCTIONS[name]
