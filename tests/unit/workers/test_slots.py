import threading

from workers.slots import Slots


def keys(count, of="a"):
    return [(of, attempt) for attempt in range(count)]


def test_a_slot_is_free_again_when_its_send_has_ended():
    slots = Slots(10, 40)
    slots.take(keys(10))
    assert slots.free(0) == 0
    slots.ended(4)
    assert slots.free(0) == 4


def test_a_claim_may_wait_for_more_slots_than_one():
    slots = Slots(10, 40)
    slots.take(keys(10))
    free: list[int] = []
    waiting = threading.Thread(target=lambda: free.append(slots.free(10, enough=4)))
    waiting.start()
    slots.ended(3)
    slots.ended(1)
    waiting.join()
    assert free == [4]
    assert slots.free(0, enough=5) == 4


def test_unsettled_sends_stop_the_claims_in_the_end():
    slots = Slots(10, 15)
    for of in "ab":
        slots.take(keys(7, of))
        slots.ended(7)
    assert slots.free(0) == 1
    slots.settled(keys(7, "a") + keys(7, "b"))
    assert slots.free(0) == 10


def test_what_was_settled_is_unknown_like_what_was_never_taken():
    slots = Slots(10, 40)
    slots.take(keys(3))
    slots.settled(keys(1))
    assert slots.unknown([*keys(3), ("b", 1)]) == [("a", 0), ("b", 1)]


def test_who_waits_for_slots_is_woken_when_there_are_enough_and_not_before(monkeypatch):
    slots = Slots(10, 40)
    woken: list[int] = []
    monkeypatch.setattr(slots._changed, "notify", lambda: woken.append(slots.free(0)))
    slots.take(keys(10))
    slots.free(0, enough=4)
    slots.ended(3)
    assert woken == []
    slots.ended(1)
    assert woken == [4]
    slots.ended(1)
    assert woken == [4, 5], "one is enough again"


def test_who_waits_for_settles_is_woken_when_there_are_enough_and_not_before(monkeypatch):
    slots = Slots(10, 10)
    woken: list[int] = []
    monkeypatch.setattr(slots._changed, "notify", lambda: woken.append(slots.free(0)))
    slots.take(keys(10))
    slots.free(0, enough=4)
    slots.ended(10)
    slots.settled(keys(3))
    assert woken == []
    slots.lost(keys(4))
    assert woken == [4]


def test_who_may_hold_nothing_claims_nothing_and_who_may_hold_one_claims_one():
    slots = Slots(10, 40)
    slots.take(keys(2))
    slots.ended(2)
    slots.allow(0)
    assert slots.is_shut
    assert slots.free(0) <= 0
    slots.allow(1)
    assert not slots.is_shut
    assert slots.free(0) <= 0, "two are not settled yet"
    slots.settled(keys(2))
    assert slots.free(0) == 1
    slots.allow()
    assert slots.free(0) == 10


def test_who_waits_to_claim_is_woken_when_that_is_allowed():
    slots = Slots(10, 40)
    slots.allow(0)
    free: list[int] = []
    waiting = threading.Thread(target=lambda: free.append(slots.free(60)))
    waiting.start()
    slots.allow()
    waiting.join()
    assert free == [10]
