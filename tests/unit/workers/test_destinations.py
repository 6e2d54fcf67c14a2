import random

import pytest

from workers.destinations import QUEUE_S, Destinations, Place
from workers.shares import PARKED_MAX_S

LATER = 1.0  # a send that takes this long is slow


def filled(slots):
    """Fill the share of one destination at the time 0, which answers in a moment."""
    places = Destinations(slots)
    places.enter("slow", "first", 0.0)
    places.enter("slow", "second", 0.0)
    places.leave("slow", 0.0, QUEUE_S / 2)
    while places.enter("slow", "x", 0.0) is Place.START:
        pass
    list(places.clear_queues())
    return places


def test_a_slow_destination_leaves_an_eighth_of_the_slots():
    places = filled(16)
    assert places._known["slow"].active == 14
    assert places.enter("slow", "x", LATER) is Place.NONE
    assert places.enter("other", "x", LATER) is Place.START


def test_a_destination_that_has_not_answered_yet_leaves_half_of_the_slots():
    places = Destinations(16)
    found = [places.enter("hanging", "x", 0.0 if n < 8 else LATER) for n in range(9)]
    assert found == [Place.START] * 8 + [Place.NONE]


def test_a_destination_that_answers_no_more_leaves_half_of_the_slots():
    places = filled(16)
    for _ in range(5):
        places.leave("slow", 0.0, QUEUE_S / 2)
    assert places._known["slow"].active == 9
    assert places.enter("slow", "x", LATER) is Place.NONE
    assert places.enter("slow", "x", QUEUE_S) is Place.START


def test_a_quick_destination_has_a_line_beyond_its_share():
    places = filled(16)
    assert places.enter("slow", "next", QUEUE_S / 2) is Place.QUEUE
    assert places.leave("slow", QUEUE_S / 2, 0.01) == ["next"]


def test_a_line_beyond_the_share_is_sent_away_when_nobody_leaves():
    places = filled(16)
    places.enter("slow", "next", 0.0)
    assert list(places.overdue(QUEUE_S / 2)) == []
    assert list(places.overdue(LATER)) == [("slow", "next")]
    assert places.leave("slow", LATER, LATER) == []


def test_a_destination_whose_sends_take_long_is_not_quick():
    places = filled(16)
    for _ in range(30):
        places.leave("slow", LATER, 1.0)
        places.enter("slow", "x", LATER)
    assert places.enter("slow", "x", LATER) is Place.NONE


def test_a_single_slot_can_still_be_used():
    assert Destinations[int](1).enter("any", 0, 0.0) is Place.START


def test_the_longer_the_overflow_the_later_it_comes_back():
    places = filled(8)
    delays = [places.park_s("slow", LATER) for _ in range(1000)]
    assert delays == sorted(delays)
    assert delays[0] <= 1
    assert delays[-1] == PARKED_MAX_S


def test_overflow_of_a_quick_destination_comes_back_within_the_second():
    places = Destinations(8)
    for n in range(8):
        places.enter("quick", n, 0.0)
    places.leave("quick", 0.01, 0.01)
    assert places.park_s("quick", 0.01) == 0.125


def test_what_many_threads_send_away_comes_back_at_the_pace_of_all():
    one, all_eight = Destinations(8), Destinations(8, threads=8)
    for places in (one, all_eight):
        for n in range(8):
            places.enter("slow", n, 0.0)
        places.leave("slow", 1.0, 1.0)
    assert max(one.park_s("slow", 1.0) for _ in range(40)) > 5
    assert max(all_eight.park_s("slow", 1.0) for _ in range(40)) <= 2


@pytest.mark.parametrize("slots", [1, 2, 8, 64])
@pytest.mark.parametrize("seed", range(10))
def test_whatever_comes_and_goes_what_waits_is_counted(slots, seed):
    places, chance = Destinations[str](slots), random.Random(seed)
    now, waiting, sending = 0.0, 0, []
    for _ in range(1000):
        now += chance.choice([0.0, 0.001, LATER])
        name = chance.choice("ab")
        if chance.random() < 0.6:
            place = places.enter(name, name, now)
            sending += [name] if place is Place.START else []
            waiting += place is Place.QUEUE
        elif sending:
            sending.remove(name := chance.choice(sending))
            begun = places.leave(name, now, chance.choice([None, 0.001, LATER]))
            sending += begun
            waiting -= len(begun)
        if chance.random() < 0.3:
            waiting -= len(list(places.overdue(now)))
        if chance.random() < 0.01:
            waiting -= len(list(places.clear_queues()))
        queued = sum(len(destination.queue) for destination in places._known.values())
        assert places._queued == queued == waiting
