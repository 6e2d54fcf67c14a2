"""The leader sets aside what is paused, and brings back what was resumed."""

from typing import Any

import pytest

from service.dispatch import pauses
from service.dispatch.pauses import COMES_BACK_S, PAUSED_S
from service.errors import TookTooLong
from service.ledger.leader_store import LeaderStore
from tests.ledger import ago, claim, enqueue, pause, paused, resume, row

HOOK: dict[str, Any] = {"channel": "webhook", "recipient": "https://example.org/hook"}


def keep(driven):
    return driven.call(driven.jobs.pauses.keep())


def test_without_a_pause_it_asks_for_no_other_turn(db, drive):
    enqueue(db)
    assert keep(drive()) is None


def test_a_turn_sets_all_aside_that_is_paused_at_the_head(db, drive, monkeypatch):
    monkeypatch.setattr(pauses, "ASIDE_MAX", 3)
    monkeypatch.setattr(pauses, "BUDGET_S", 60.0)
    pause(db, "channel", "log")
    enqueue(db, 10)
    assert keep(drive()) == PAUSED_S
    assert paused(db)[0].waiting == 10


def test_when_its_time_is_up_it_comes_again_soon(db, drive, monkeypatch):
    monkeypatch.setattr(pauses, "ASIDE_MAX", 3)
    monkeypatch.setattr(pauses, "BUDGET_S", 0.0)
    pause(db, "channel", "log")
    enqueue(db, 10)
    driven = drive()
    assert keep(driven) == COMES_BACK_S
    assert paused(db)[0].waiting == 3


def test_what_is_resumed_comes_back_bit_by_bit_and_the_pause_goes(db, drive, monkeypatch):
    monkeypatch.setattr(pauses, "BACK_MAX", 4)
    id = pause(db, "channel", "log")
    ids = enqueue(db, 6)
    driven = drive()
    keep(driven)
    resume(db, id)
    assert keep(driven) == COMES_BACK_S
    assert paused(db)[0].waiting == 2
    assert len(claim(db, ids)) == 4
    assert keep(driven) == COMES_BACK_S
    assert keep(driven) is None
    assert paused(db) == []


def test_the_dispatcher_offers_what_is_not_paused_and_what_came_back(db, drive):
    id = pause(db, "channel", "log")
    held, [other] = enqueue(db, 3), enqueue(db, **HOOK)
    driven = drive()
    keep(driven)
    assert driven.offer() == 1
    assert [c.id for c in claim(db, [other, *held])] == [other]
    resume(db, id)
    keep(driven)
    assert driven.offer() == 3
    assert all(row(db, i).due_at <= ago(db, "0") for i in held)
    assert driven.lost == 0


def test_a_copy_is_left_alone(db, drive):
    pause(db, "channel", "log")
    enqueue(db)
    db.execute("update notify.settings set database_name = 'elsewhere'")
    driven = drive()
    driven.call(driven.jobs.fuse.begin())
    [job] = [job for job in driven.jobs._jobs if job.name == "pauses"]
    driven.call(job.run_once())
    assert paused(db)[0].waiting == 0


def test_strays_come_back_though_nothing_is_paused(db, drive):
    pause(db, "channel", "log")
    ids = enqueue(db, 3)
    claim(db, ids)
    db.execute("delete from notify.pauses")
    driven = drive()
    assert keep(driven) is None
    assert {c.id for c in claim(db, ids)} == set(ids)


@pytest.mark.parametrize("step", ["set_due_aside", "bring_back"])
def test_strays_come_back_though_another_step_fails(db, drive, monkeypatch, step):
    pause(db, "channel", "log")
    ids = enqueue(db, 3)
    claim(db, ids)
    db.execute("delete from notify.pauses")
    pause(db, "channel", "email")

    async def fails(*_):
        raise TookTooLong("canceling statement due to statement timeout")

    monkeypatch.setattr(LeaderStore, step, fails)
    with pytest.raises(TookTooLong):
        keep(drive())
    assert {c.id for c in claim(db, ids)} == set(ids)


def test_a_turn_without_strays_follows_one_in_which_they_fail(db, drive, monkeypatch):
    pause(db, "channel", "log")
    enqueue(db, 3)

    async def fails(*_):
        raise TookTooLong("canceling statement due to statement timeout")

    monkeypatch.setattr(LeaderStore, "bring_strays_back", fails)
    driven = drive()
    with pytest.raises(TookTooLong):
        keep(driven)
    assert keep(driven) == PAUSED_S
    assert paused(db)[0].waiting == 3


def test_what_takes_too_long_is_asked_again_with_fewer_rows(db, drive, monkeypatch):
    id = pause(db, "channel", "log")
    claim(db, enqueue(db, 3))
    resume(db, id)
    driven, asked = drive(), []
    really = driven.store.bring_back

    async def slow(rows):
        asked.append(rows)
        if rows > 100:
            raise TookTooLong("canceling statement due to statement timeout")
        return await really(rows)

    monkeypatch.setattr(LeaderStore, "bring_back", lambda _, *args: slow(*args))
    assert keep(driven) == COMES_BACK_S
    assert asked == [5000, 1250, 312, 78]
    assert paused(db) == []


def test_what_was_resumed_comes_back_where_nothing_can_be_set_aside(db, drive, monkeypatch):
    id = pause(db, "channel", "log")
    claim(db, enqueue(db, 3))
    resume(db, id)

    async def fails(*_):
        raise TookTooLong("canceling statement due to statement timeout")

    monkeypatch.setattr(LeaderStore, "set_due_aside", fails)
    with pytest.raises(TookTooLong):
        keep(drive())
    assert paused(db) == []
