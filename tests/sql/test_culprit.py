"""Whose an error is: the function that raised it, unless it is ours."""

import pytest

from tests.ledger import claim_each
from tests.sql.faults import ODD, one_odd_among, trigger

LINE = "PL/pgSQL function public.theirs() line 1 at SQL statement"
CONTEXTS = {
    f"{LINE}\nPL/pgSQL function notify.claim(uuid[]) line 7 at RETURN QUERY": f"no ({LINE})",
    f'SQL statement "insert into audit\nvalues (1)"\n{LINE}': "no",
    f'SQL statement "insert into audit"\n{LINE}': f"no ({LINE})",
    'SQL function "theirs" statement 1': 'no (SQL function "theirs" statement 1)',
    f"PL/pgSQL function notify.claim(uuid[]) line 7 at RETURN QUERY\n{LINE}": "no",
    "": "no",
}


@pytest.mark.parametrize("context", CONTEXTS)
def test_the_innermost_function_is_named(shared_db, context):
    found = shared_db.execute("select notify.culprit('no', %s) as c", [context]).fetchone()
    assert found.c == CONTEXTS[context]


def test_a_trigger_that_names_no_schema_is_told_by_name(faulty_db):
    faulty_db.execute("create table public.audit (id uuid)")
    ids, odd = one_odd_among(faulty_db)
    faulty_db.execute(trigger("insert into audit values (new.id);"))
    [refused] = [c for c in claim_each(faulty_db, ids) if c.status == "refused"]
    faulty_db.execute("drop table public.audit")
    assert (refused.id, ODD) == (odd, "odd")
    assert refused.error.startswith(
        'relation "audit" does not exist (PL/pgSQL function public.fault() line'
    )
