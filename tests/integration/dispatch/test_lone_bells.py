"""What a bell costs while little happens: one look, with the doorbell armed before and after."""

import pytest

from service.dispatch.doorbell import Doorbell
from service.dispatch.offering import Offering
from service.dispatch.offers import WINDOW_LOW
from service.dispatch.turns import LONE_ROWS_MAX
from tests.integration.dispatch.test_running import sleeping, wait_until_seen
from tests.ledger import enqueue
from tests.waiting import wait_for

HASTE, CARE = True, False
ASLEEP = [CARE, CARE]  # a look that found nothing, and another one after arming

pytestmark = pytest.mark.usefixtures("no_tick")


class NotingOffering(Offering):
    """Notes of each look, once it has ended, whether it was in haste."""

    looks: list[bool]

    async def offer(self, *, in_haste=False):
        offer = await super().offer(in_haste=in_haste)
        self.looks.append(in_haste)
        return offer


@pytest.fixture
def looks(driven):
    """Let a dispatcher fall asleep; gives its looks."""
    driven.offering.__class__ = NotingOffering
    driven.offering.looks = []
    with driven.dispatching():
        wait_for(lambda: driven.offering.looks == ASLEEP)
        yield driven.offering.looks


def test_a_bell_that_rings_alone_costs_one_look(db, ready, looks, monkeypatch):
    monkeypatch.setattr("service.dispatch.turns.LONE_S", 0.0)
    for count in range(1, 6):
        wait_until_seen(ready, enqueue(db))
        wait_for(lambda count=count: looks == ASLEEP + count * [HASTE])


def test_bells_in_quick_succession_end_with_producers_that_do_not_ring(
    db, ready, looks, monkeypatch
):
    monkeypatch.setattr("service.dispatch.turns.LONE_S", 300.0)
    for count in (3, 4):
        wait_until_seen(ready, enqueue(db))
        wait_for(lambda count=count: len(looks) >= count)
    wait_for(lambda: looks[2:] == [HASTE, HASTE, *ASLEEP])


def test_after_a_bell_for_many_rows_it_looks_until_none_is_left(db, ready, looks):
    wait_until_seen(ready, enqueue(db, LONE_ROWS_MAX + 1))
    wait_for(lambda: looks[2:] == [HASTE, *ASLEEP])


def test_a_bell_for_nothing_is_not_answered_in_haste_again(db, looks):
    for _ in range(2):
        count = len(looks)
        db.execute("select pg_notify('notify_wake', '')")
        wait_for(lambda count=count: looks[count:][-2:] == ASLEEP)
    assert looks.count(HASTE) == 1


@pytest.fixture
def stocked(db, driven, ready, monkeypatch):
    """Let a dispatcher fall asleep beside a stocked lane, with no look that a bell does not ask."""
    monkeypatch.setattr("service.dispatch.turns.STOCKED_PAUSE_S", 300.0)
    ids = enqueue(db, WINDOW_LOW, priority=3)
    with driven.dispatching():
        wait_until_seen(ready, ids)
        wait_for(lambda: sleeping(db))
        yield driven


def test_an_urgent_row_wakes_it_beside_a_stocked_lane(db, ready, stocked):
    wait_until_seen(ready, enqueue(db, priority=0))
    wait_until_seen(ready, enqueue(db, priority=1))


def test_rows_for_a_stocked_lane_do_not_ring_for_long(db, stocked, monkeypatch):
    monkeypatch.setattr("service.dispatch.turns.STOCKED_PAUSE_S", 1.0)  # it ends within that
    enqueue(db, priority=3)
    wait_for(lambda: not sleeping(db))


def test_a_tick_in_which_nothing_happened_costs_one_look(driven, monkeypatch):
    monkeypatch.setattr("service.dispatch.turns.SLEEP_MAX_S", 0.01)
    steps: list[object] = []
    driven.offering.__class__ = NotingOffering
    driven.offering.looks = steps
    arm = Doorbell.arm

    async def noting_arm(doorbell: Doorbell) -> bool:
        steps.append("arm")
        return await arm(doorbell)

    monkeypatch.setattr(Doorbell, "arm", noting_arm)
    with driven.dispatching():
        wait_for(lambda: len(steps) >= 9)
    assert steps[:9] == [CARE, *["arm", CARE] * 4]
