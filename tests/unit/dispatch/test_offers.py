"""What the dispatcher offers: each id once, again only when it was lost, never more than fits."""

import math

from service.dispatch.offers import (
    GRACE_S,
    OVERLAP_MS,
    REACH_MS,
    TICK_S,
    WINDOW_LOW,
    WINDOW_MAX,
    Offers,
)
from service.model.leader import Lane
from service.model.words import LANES

EMPTY = dict.fromkeys(LANES, 0)
DUE = 1_000_000.0
LATER = GRACE_S + 0.1


def look(*ids, lane=2, due_ms=DUE, now_ms=DUE + 50):
    return Lane(lane, list(ids), [due_ms] * len(ids), None, now_ms)


def step(offers, now, *looks, gone=(), cards=EMPTY):
    """Do what one look does: choose, and remember it as added; `gone` left the ready set."""
    choice = offers.choose(list(looks), cards, now)
    left = {lane: set(gone) & set(ids) for lane, ids in choice.doubtful.items()}
    offers.remember(list(looks), choice, left, now)
    return choice


def ids(by_lane):
    return {lane: set(ids) for lane, ids in by_lane.items() if ids}


def test_what_was_never_offered_is_fresh_with_its_due_at_as_score():
    choice = step(Offers(), 0, look(b"a", b"b"))
    assert choice.fresh == {2: {b"a": DUE, b"b": DUE}}
    assert not ids(choice.again) and not ids(choice.doubtful)


def test_an_offered_id_is_left_alone_within_the_grace():
    offers = Offers()
    step(offers, 0, look(b"a"))
    choice = step(offers, GRACE_S, look(b"a", b"b"))
    assert ids(choice.fresh) == {2: {b"b"}}
    assert not ids(choice.again) and not ids(choice.doubtful)


def test_an_id_that_waits_in_the_ready_set_is_never_offered_again():
    offers = Offers()
    step(offers, 0, look(b"a"))
    for n in range(1, 50):
        choice = step(offers, n * LATER, look(b"a"))
        assert not ids(choice.fresh) and not ids(choice.again)
        assert ids(choice.doubtful) == {2: {b"a"}}


def test_an_id_that_was_gone_a_grace_ago_and_is_still_queued_was_lost():
    offers = Offers()
    step(offers, 0, look(b"a"))
    step(offers, LATER, look(b"a"), gone=[b"a"])
    within = step(offers, LATER + GRACE_S, look(b"a"), gone=[b"a"])
    assert not ids(within.again)
    assert ids(step(offers, 2 * LATER + 0.1, look(b"a")).again) == {2: {b"a"}}


def test_after_it_was_offered_again_the_grace_begins_anew():
    offers = Offers()
    step(offers, 0, look(b"a"))
    step(offers, LATER, look(b"a"), gone=[b"a"])
    step(offers, 2 * LATER, look(b"a"))
    assert not ids(step(offers, 3 * LATER, look(b"a")).again)


def test_an_id_popped_just_before_a_look_that_is_claimed_soon_is_not_offered_again():
    offers = Offers()
    step(offers, 0, look(b"a", b"b"))
    step(offers, LATER, look(b"a", b"b"), gone=[b"a"])  # in a worker's hand
    choice = step(offers, 2 * LATER, look(b"b"))  # claimed: the look has it no more
    assert not ids(choice.again)
    assert not ids(choice.fresh)


def test_another_due_at_makes_it_fresh_at_once_and_not_lost():
    offers = Offers()
    step(offers, 0, look(b"a"))
    choice = step(offers, 0.01, look(b"a", due_ms=DUE + 20))
    assert choice.fresh == {2: {b"a": DUE + 20}}
    step(offers, LATER + 0.01, look(b"a", due_ms=DUE + 20), gone=[b"a"])
    assert ids(step(offers, LATER + 0.02, look(b"a", due_ms=DUE + 99)).fresh) == {2: {b"a"}}


def test_after_a_flush_what_comes_back_counts_as_lost_and_what_is_new_does_not():
    offers = Offers()
    step(offers, 0, look(b"a"))
    offers.flushed()
    choice = step(offers, 0.01, look(b"a", b"b"))
    assert ids(choice.again) == {2: {b"a"}}
    assert ids(choice.fresh) == {2: {b"b"}}


def test_a_flush_looks_from_the_head_of_every_lane():
    offers = Offers()
    step(offers, 0, *(look(lane=lane) for lane in LANES))
    assert all(floor is not None for floor in offers.floors.values())
    offers.flushed()
    assert offers.floors == dict.fromkeys(LANES)


def test_no_more_is_added_than_the_lane_has_room_for_and_the_first_due_come_first():
    offers = Offers()
    choice = step(
        offers, 0, look(*(b"%d" % n for n in range(10))), cards=EMPTY | {2: WINDOW_MAX - 3}
    )
    assert list(choice.fresh[2]) == [b"0", b"1", b"2"]


def test_what_found_no_room_is_fresh_when_there_is_some():
    offers = Offers()
    step(offers, 0, look(b"a", b"b"), cards=EMPTY | {2: WINDOW_MAX - 1})
    assert ids(step(offers, 0.01, look(b"a", b"b")).fresh) == {2: {b"b"}}


def test_fresh_and_again_share_the_room():
    offers = Offers()
    step(offers, 0, look(b"a", b"b"))
    offers.flushed()
    choice = step(offers, 0, look(b"a", b"new", b"b"), cards=EMPTY | {2: WINDOW_MAX - 2})
    assert ids(choice.again) == {2: {b"a"}}
    assert ids(choice.fresh) == {2: {b"new"}}


def test_a_full_or_overfull_lane_takes_nothing_and_another_lane_is_not_held_up_by_it():
    for card in (WINDOW_MAX, WINDOW_MAX + 7):
        choice = step(Offers(), 0, look(b"a", lane=3), look(b"b", lane=0), cards=EMPTY | {3: card})
        assert ids(choice.fresh) == {0: {b"b"}}


def test_ids_waiting_in_a_lane_do_not_take_room_from_new_ones():
    offers = Offers()
    step(offers, 0, look(b"a", b"b"))
    choice = step(offers, LATER, look(b"a", b"b", b"c"), cards=EMPTY | {2: WINDOW_MAX - 1})
    assert ids(choice.fresh) == {2: {b"c"}}


def test_one_id_in_two_lanes_is_known_in_each():
    offers = Offers()
    step(offers, 0, look(b"a", lane=1))
    assert ids(step(offers, 0.01, look(b"a", lane=0), look(b"a", lane=1)).fresh) == {0: {b"a"}}


def test_the_floor_stays_the_overlap_below_the_first_row_found():
    offers = Offers()
    assert offers.floors[2] is None
    step(offers, 0, look(b"a"))
    assert offers.floors[2] == DUE - OVERLAP_MS


def test_the_floor_of_an_empty_lane_follows_the_databases_clock():
    offers = Offers()
    step(offers, 0, look(lane=1, now_ms=DUE))
    step(offers, 1, look(lane=1, now_ms=DUE + 1000))
    assert offers.floors[1] == DUE + 1000 - OVERLAP_MS
    assert offers.floors[2] is None


def test_forgetting_the_floors_does_not_forget_what_was_offered():
    offers = Offers()
    step(offers, 0, look(b"a"))
    offers.forget_floors()
    assert offers.floors == dict.fromkeys(LANES)
    assert not ids(step(offers, 0.01, look(b"a")).fresh)


def test_choosing_alone_remembers_nothing_so_that_a_crash_before_the_add_offers_again():
    offers = Offers()
    offers.choose([look(b"a")], EMPTY, 0)
    assert ids(offers.choose([look(b"a")], EMPTY, 0.01).fresh) == {2: {b"a"}}


def test_its_memory_is_what_was_offered_within_the_grace_and_no_more():
    offers = Offers()
    for n in range(200):
        now = n * GRACE_S / 20
        step(offers, now, look(*(b"%d-%d" % (n, i) for i in range(100))))
    kept = len(offers._offered[2])
    assert 100 <= kept <= 100 * 20 * 2
    step(offers, math.ceil(now) + LATER, look())
    assert len(offers._offered[2]) == 0


def test_an_old_id_that_is_still_queued_stays_known():
    offers = Offers()
    step(offers, 0, look(b"a", b"claimed"))
    for n in range(1, 20):
        step(offers, n * GRACE_S, look(b"a"))
    assert set(offers._offered[2]) == {b"a"}


def test_a_look_that_may_not_tick_leaves_stocked_lanes_to_one_that_may():
    offers = Offers()
    cards = EMPTY | {3: WINDOW_LOW}
    first = offers.plan(cards, 0)
    offers.looked(first, 0, 0)
    late = TICK_S + 0.1
    assert first.lanes == list(LANES)
    assert offers.plan(cards, late, may_tick=False).lanes == [0, 1, 2]
    assert offers.plan(cards, late).lanes == list(LANES)


TODAY = 1_700_000_000_000.0


def give_up(offers, now, took_s=3.5):
    """Plan a look and give it up; returns the floors it had."""
    plan = offers.plan(EMPTY, now)
    offers.took_too_long(plan, now, now + took_s, TODAY)
    return plan.floors


def succeed(offers, now, took_s=0.01):
    """Plan a look and take it, in which nothing is due; returns the floors it had."""
    plan = offers.plan(EMPTY, now)
    offers.looked(plan, now, now + took_s)
    step(offers, now, *(look(lane=lane, now_ms=TODAY) for lane in plan.lanes))
    return plan.floors


def know_floors(offers):
    """Look once from the head, where a backlog begins long ago."""
    offers.looked(offers.plan(EMPTY, 0), 0, 0.01)
    backlog = [look(b"a", lane=lane, due_ms=TODAY - 2 * REACH_MS) for lane in LANES]
    step(offers, 0, *backlog)
    return [TODAY - 2 * REACH_MS - OVERLAP_MS] * len(LANES)


NO_FLOORS = [None] * len(LANES)


def test_where_the_head_takes_too_long_a_lane_without_a_floor_begins_later_and_later():
    offers = Offers()
    floors = [give_up(offers, now)[0] for now in range(0, 60, 4)]
    assert floors[0] is None
    assert floors[1:5] == [TODAY - REACH_MS / n for n in (1, 4, 16, 64)]
    assert floors[-1] == TODAY - OVERLAP_MS
    assert succeed(offers, 60) == [TODAY - OVERLAP_MS] * len(LANES)


def test_a_server_that_is_slow_moves_no_known_floor_and_the_head_comes_once_it_is_not():
    offers = Offers()
    floors = know_floors(offers)
    assert give_up(offers, 10) == NO_FLOORS
    for now in range(14, 40, 4):
        assert give_up(offers, now) == floors
    assert succeed(offers, 40) == floors
    assert succeed(offers, 40 + TICK_S) == NO_FLOORS


def test_a_head_that_stays_out_of_reach_takes_a_twentieth_of_the_time():
    offers = Offers()
    assert give_up(offers, 0) == NO_FLOORS
    assert None not in succeed(offers, 4)
    assert give_up(offers, 6) == NO_FLOORS
    assert None not in succeed(offers, 10)
    assert None not in succeed(offers, 75)
    assert give_up(offers, 77) == NO_FLOORS
    assert None not in succeed(offers, 81)
    assert succeed(offers, 148, took_s=0.5) == NO_FLOORS
    assert None not in succeed(offers, 157)
    assert succeed(offers, 159) == NO_FLOORS


def test_floors_that_are_forgotten_are_guessed_anew_from_far_back():
    offers = Offers()
    for now in (0, 4, 8):
        give_up(offers, now)
    offers.forget_floors()
    assert give_up(offers, 12) == NO_FLOORS
    assert give_up(offers, 16) == [TODAY - REACH_MS] * len(LANES)


def test_a_slow_server_whose_floors_are_forgotten_meanwhile_has_no_head_counted():
    offers = Offers()
    know_floors(offers)
    assert give_up(offers, 10) == NO_FLOORS
    offers.forget_floors()
    assert give_up(offers, 14) == NO_FLOORS
    assert None not in succeed(offers, 20)
    assert succeed(offers, 20 + TICK_S) == NO_FLOORS


def test_heads_of_some_lanes_do_not_hide_that_the_head_of_another_is_out_of_reach():
    offers = Offers()
    for now in (0, 6):
        give_up(offers, now)
        succeed(offers, now + 4)
    stocked = EMPTY | {3: WINDOW_LOW}
    some = offers.plan(stocked, 77, may_tick=False)
    assert some.floors == [None] * 3
    offers.looked(some, 77, 77.01)
    assert offers.is_head_out_of_reach
    assert None not in offers.plan(EMPTY, 100).floors
    assert succeed(offers, 150) == NO_FLOORS
    assert not offers.is_head_out_of_reach
