"""The leader empties payloads, by steps within its time, and says what that cost."""

import pytest

from service.dispatch import payloads
from service.errors import TookTooLong
from service.ledger.leader_store import LeaderStore
from tests.ledger import put, row
from tests.sql.long import old_id


@pytest.fixture
def old(db):
    """Place three that were sent 20 days ago; their ids."""
    at = db.execute("select now() - interval '20 days' as t").fetchone().t
    return [put(db, "sent", id=old_id(db, 20), settled_at=at, payload='{"n": 1}') for _ in "abc"]


def kept(db, ids):
    return [id for id in ids if row(db, id).payload is not None]


def test_without_the_setting_payloads_stay(db, drive, old):
    dispatcher = drive()
    dispatcher.call(dispatcher.jobs.payloads.empty())
    assert kept(db, old) == old


def test_what_ended_so_many_days_ago_is_emptied_and_its_cost_logged(
    db, drive, old, events, monkeypatch
):
    monkeypatch.setattr(payloads, "ROWS_MAX", 1)
    dispatcher = drive(payload_days=10)
    with monkeypatch.context() as first_step:
        first_step.setattr(payloads, "BUDGET_S", 0.0)
        dispatcher.call(dispatcher.jobs.payloads.empty())
    db.execute("update notify.emptied_days set took = '1 hour'")
    dispatcher.call(dispatcher.jobs.payloads.empty())
    assert kept(db, old) == []
    [line] = [fields for event, fields in events if event == "payloads_emptied"]
    assert {name: line[name] for name in ("partition", "rows", "left")} == {
        "partition": "notifications_default", "rows": 3, "left": 0
    }  # fmt: skip
    assert line["took_s"] >= 3600  # of all steps


def test_when_its_time_is_up_the_rest_waits_for_the_next_turn(db, drive, old, monkeypatch):
    monkeypatch.setattr(payloads, "ROWS_MAX", 1)
    monkeypatch.setattr(payloads, "BUDGET_S", 0.0)
    dispatcher = drive(payload_days=10)
    for left in (2, 1, 0):
        dispatcher.call(dispatcher.jobs.payloads.empty())
        assert len(kept(db, old)) == left


def test_a_clock_that_is_ahead_empties_nothing_too_early(db, drive, old):
    dispatcher = drive(payload_days=10)

    async def doubt_s():
        return 11 * 86400.0

    dispatcher.jobs.payloads._doubt_s = doubt_s
    dispatcher.call(dispatcher.jobs.payloads.empty())
    assert kept(db, old) == old


def test_a_step_that_takes_too_long_is_taken_again_with_fewer_rows(db, drive, old, monkeypatch):
    dispatcher = drive(payload_days=10)
    really, asked = dispatcher.store.empty_payloads, []

    async def slow(age, rows):
        asked.append(rows)
        if rows > 100:
            raise TookTooLong("canceling statement due to statement timeout")
        return await really(age, rows)

    monkeypatch.setattr(LeaderStore, "empty_payloads", lambda _, *args: slow(*args))
    dispatcher.call(dispatcher.jobs.payloads.empty())
    assert kept(db, old) == []
    assert asked == [2000, 500, 125, 31, 62]


def test_when_one_row_takes_too_long_the_job_fails(drive, monkeypatch):
    async def slow(*_):
        raise TookTooLong("canceling statement due to statement timeout")

    monkeypatch.setattr(LeaderStore, "empty_payloads", slow)
    dispatcher = drive(payload_days=10)
    with pytest.raises(TookTooLong):
        dispatcher.call(dispatcher.jobs.payloads.empty())
