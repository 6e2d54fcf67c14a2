"""A column to which somebody gave a domain of theirs: values are as before, and so is the road."""

import pytest

from tests.explaining import beat, note, state
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
from tests.rollups import A, add_minutes, counts

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


ROLLUPS = [
    ("destination_minutes", "channel"), ("destination_minutes", "destination"),
    ("destination_minutes", "last_code"), ("destination_state", "destination"),
    ("destination_state", "state"), ("destination_state", "code"), ("figures", "leader"),
    ("workers", "worker"), ("workers", "host"), ("workers", "version"),
]  # fmt: skip


@pytest.mark.parametrize("table, column", ROLLUPS)
def test_what_the_console_asks_is_answered(db, table, column):
    db.execute("create domain public.theirs as text check (value is not null or value is null)")
    db.execute(f"alter table notify.{table} alter {column} type public.theirs")
    beat(db)
    note(db, state(A))
    for _ in range(2):
        add_minutes(db, counts(A, 1, failures=1, last_code="503", failed_s=0))
    db.execute("select notify.note_figures('h:1', '{1,0,0,0}', 0, 0, false, null)")
    [destination] = db.execute("select * from notify.destinations(10)").fetchall()
    assert (destination.sends, destination.last_code, destination.state) == (2, "503", "breaker")
    assert db.execute("select leader from notify.now()").fetchone().leader == "h:1"
    [worker] = db.execute("select worker from notify.living_workers(10, 10)").fetchall()
    assert worker.worker == "w:1"
