"""A column to which somebody gave a domain of theirs: values are as before, and so is the road."""

import pytest

from tests.ledger import (
    ago,
    cancel,
    change,
    claim,
    enqueue,
    fold_slo,
    put,
    reap,
    redrive,
    release,
    settle,
    status,
)  # fmt: skip

COLUMNS = [
    ("notifications", "channel"), ("notifications", "recipient"), ("notifications", "reference"),
    ("notifications", "claimed_by"), ("notifications", "last_error"),
    ("notifications", "last_error_code"), ("notifications", "max_attempts"),
    ("attempts", "outcome"), ("attempts", "code"), ("attempts", "excerpt"), ("attempts", "worker"),
    ("slo_deltas", "channel"), ("slo_deltas", "result"), ("slo_daily", "channel"),
]  # fmt: skip


@pytest.mark.parametrize("table, column", COLUMNS)
def test_a_notification_goes_all_the_way(db, table, column):
    kind = "integer" if column == "max_attempts" else "text"
    db.execute("drop view notify.outcomes cascade")  # PostgreSQL asks for it
    db.execute(f"create domain public.theirs as {kind} check (value is not null or value is null)")
    db.execute(f"alter table notify.{table} alter {column} type public.theirs")

    [id, other, lost] = enqueue(db, 3, reference="r")
    got = claim(db, [id])
    assert [(c.channel, c.recipient) for c in got] == [("log", "r")]
    settle(db, got)
    assert status(db, id) == "sent"
    release(db, claim(db, [other]))
    assert [c.status for c in cancel(db, [id, other])] == ["sent", "cancelled"]
    claim(db, [lost])
    change(db, lost, lease_until=ago(db, "1 minute"))
    assert [r.status for r in reap(db)] == ["queued"]
    assert redrive(db, ids=[put(db, "failed")]).redriven == 1
    assert fold_slo(db)
