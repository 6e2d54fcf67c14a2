"""notify.flow(): what came in and went out in the minutes that are over, none missing."""

import pytest

from tests.rollups import note_figures


def flow(db, minutes=5):
    return db.execute("select * from notify.flow(%s)", [minutes]).fetchall()


def figures_at(db, rows, minutes_ago, before="1 s", **more):
    """Note how many rows there were shortly before a minute began."""
    note_figures(db, queued=rows, **more)
    db.execute(
        "update notify.figures set at = date_trunc('minute', clock_timestamp())"
        " - %s * interval '1 minute' - %s::interval"
        " where at = (select max(at) from notify.figures)",
        [minutes_ago, before],
    )


def ended(db, minutes_ago, sent=0, failed=0, expired=0):
    db.execute(
        "insert into notify.minutes (minute, sent, in_time, failed, expired)"
        " values (date_trunc('minute', clock_timestamp()) - %s * interval '1 minute',"
        " %s, 0, %s, %s)",
        [minutes_ago, sent, failed, expired],
    )


def test_no_minute_is_missing_and_none_is_still_under_way(db):
    got = flow(db, 15)
    [now] = db.execute("select date_trunc('minute', clock_timestamp()) as minute")
    ages = [(now.minute - row.minute).total_seconds() / 60 for row in got]
    assert ages in ([*range(15, 0, -1)], [*range(16, 1, -1)])
    assert {(row.came_in, row.went_out, row.failed) for row in got} == {(None, 0, 0)}


def test_what_came_in_is_what_went_out_and_what_the_queue_grew_by(db):
    for minutes_ago, rows in [(3, 10), (2, 25), (1, 5), (0, 5)]:
        figures_at(db, rows, minutes_ago)
    ended(db, 3, sent=4, failed=2, expired=1)
    ended(db, 2, sent=30)
    got = [row for row in flow(db, 10) if row.came_in is not None]
    assert [(row.came_in, row.went_out, row.failed) for row in got[:3]] == [
        (22, 7, 2), (10, 30, 0), (0, 0, 0)]  # fmt: skip


def test_what_is_being_sent_and_what_waits_on_quiet_days_is_in_the_queue(db):
    figures_at(db, 10, 2, sending=5, quiet=100)
    figures_at(db, 0, 1, sending=15, quiet=101)
    assert [row.came_in for row in flow(db) if row.came_in is not None] == [1]


def test_less_than_nothing_did_not_come_in(db):
    """What was cancelled left the queue, and ended in no minute."""
    figures_at(db, 10, 2)
    figures_at(db, 0, 1)
    assert [row.came_in for row in flow(db) if row.came_in is not None] == [0]


@pytest.mark.parametrize(
    "odd", [{"before": "62 s"}, {"is_estimate": True}], ids=["nobody led", "too many to count"]
)
def test_what_nobody_counted_is_not_known(db, odd):
    figures_at(db, 10, 2)
    figures_at(db, 20, 1, **odd)
    ended(db, 2, sent=3)
    assert {(row.came_in, row.went_out) for row in flow(db)} == {(None, 0), (None, 3)}


def test_no_more_than_an_hour_is_shown(db):
    assert len(flow(db, 100_000)) == 60
    assert flow(db, 0) == flow(db, -5) == []
