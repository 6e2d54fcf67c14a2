from workers.destinations import PARKED_MAX_S, Destinations, Place


def test_one_destination_leaves_an_eighth_of_the_slots():
    places = Destinations(16)
    taken = [places.enter("slow", n, None) for n in range(16)]
    assert taken.count(Place.START) == 14
    assert taken[14:] == [Place.NONE, Place.NONE]
    assert places.enter("other", 0, None) is Place.START


def test_a_single_slot_can_still_be_used():
    assert Destinations(1).enter("any", 0, None) is Place.START


def test_those_above_the_number_at_once_stand_in_line_in_order():
    places = Destinations(16)
    assert places.enter("smtp", "a", 1) is Place.START
    assert places.enter("smtp", "b", 1) is Place.LINE
    assert places.enter("smtp", "c", 1) is Place.LINE
    assert places.leave("smtp", 0.1) == "b"
    assert places.leave("smtp", 0.1) == "c"
    assert places.leave("smtp", 0.1) is None
    assert not places.known


def test_the_line_counts_into_the_share():
    places = Destinations(8)
    assert [places.enter("smtp", n, 1) for n in range(8)].count(Place.LINE) == 6


def test_clearing_the_lines_lets_nobody_start():
    places = Destinations(16)
    places.enter("smtp", "a", 1)
    places.enter("smtp", "b", 1)
    assert list(places.clear_lines()) == ["b"]
    assert places.leave("smtp", 0.1) is None


def test_the_longer_the_overflow_the_later_it_comes_back():
    places = Destinations(8)
    for n in range(7):
        places.enter("slow", n, None)
    delays = [places.park_s("slow", 100.0) for _ in range(1000)]
    assert delays == sorted(delays)
    assert delays[0] == 1.0
    assert delays[-1] == PARKED_MAX_S
