"""What all may hold together who do not answer promptly, or not yet."""

import random
from heapq import heappop, heappush

import pytest

from workers import habits
from workers.destinations import Destinations, Place
from workers.habits import Habits
from workers.shares import PARKED_MAX_S, Habit
from workers.strangers import UNASKED_S

SLOTS = 16
STRANGERS = 12  # three quarters
LATE = 10  # slow or silent: five eighths
QUICK_S = 0.01
DEADLINE_S = 10.0


def answer(places, name, now=0.0, took_s=QUICK_S):
    """Let a receiver answer once."""
    assert places.enter(name, name, now) is Place.START
    places.leave(name, now + took_s, took_s)


def hang(places, names, now=0.0):
    """Send to each of these, which hang; return who had a place."""
    return [name for name in names if places.enter(name, name, now) is Place.START]


def time_out(places, names, now=DEADLINE_S):
    """Let the sends to these end at the deadline."""
    for name in names:
        places.leave(name, now, DEADLINE_S, has_answered=False)


def names(count, prefix="h"):
    return [f"{prefix}{number}" for number in range(count)]


def test_many_names_that_hang_leave_a_quarter_to_one_that_has_answered():
    places = Destinations(SLOTS)
    answer(places, "known")
    assert len(hang(places, names(100))) == STRANGERS
    assert [places.enter("known", "x", 1.0) for _ in range(4)] == [Place.START] * 4


def test_what_has_no_place_is_not_known():
    places = Destinations(SLOTS)
    hang(places, names(100))
    assert len(places._known) == STRANGERS


def test_a_prompt_answer_makes_room_at_once():
    places = Destinations(SLOTS)
    first = hang(places, names(100))[0]
    assert places.enter("new", "x", QUICK_S) is Place.NONE
    places.leave(first, QUICK_S, QUICK_S)
    assert places.enter("new", "x", QUICK_S) is Place.START


def test_the_sends_under_way_of_one_that_answers_count_no_more_among_the_strangers():
    places = Destinations(SLOTS)
    for _ in range(SLOTS // 2):
        places.enter("one", "x", 0.0)
    places.leave("one", QUICK_S, QUICK_S)
    assert len(hang(places, names(100), QUICK_S)) == STRANGERS


def test_one_that_answered_and_then_hangs_is_a_stranger_again():
    places = Destinations(SLOTS)
    answer(places, "known")
    hang(places, ["known"])
    time_out(places, ["known"])
    hang(places, names(100), DEADLINE_S)
    assert places.enter("known", "x", DEADLINE_S) is Place.NONE


def test_what_it_still_holds_then_counts_among_the_strangers():
    places = Destinations(SLOTS)
    answer(places, "known")
    hang(places, ["known"] * 8)
    time_out(places, ["known"])
    assert len(hang(places, names(100), DEADLINE_S)) == STRANGERS - 7


def test_who_answers_after_long_is_a_stranger_too():
    places = Destinations(SLOTS)
    late = names(3)
    for name in late:
        answer(places, name, took_s=2 * habits.PROMPT_S)
    hang(places, names(STRANGERS, "other"))
    assert hang(places, late) == []


def test_one_that_answers_late_leaves_room_to_those_whom_nobody_asked():
    places = Destinations(SLOTS)
    late_s = 2 * habits.PROMPT_S
    answer(places, "late", took_s=late_s)
    assert len(hang(places, ["late"] * SLOTS, late_s)) <= LATE
    assert len(hang(places, names(SLOTS), late_s)) == STRANGERS - LATE


def test_who_refuses_at_once_stays_what_it_was():
    places = Destinations(SLOTS)
    answer(places, "known")
    for name in ("known", "unknown"):
        places.enter(name, name, 1.0)
        places.leave(name, 1.0 + QUICK_S, QUICK_S, has_answered=False)
        habit = Habit.PROMPT if name == "known" else Habit.UNKNOWN
        assert places._habits.of(name) is habit


def test_those_that_hung_before_leave_room_to_those_that_nobody_asked():
    places = Destinations(SLOTS)
    silent = hang(places, names(STRANGERS))
    time_out(places, silent)
    assert len(hang(places, silent, DEADLINE_S)) == LATE
    assert len(hang(places, names(100, "new"), DEADLINE_S)) == STRANGERS - LATE


def test_strangers_come_back_at_the_pace_at_which_all_of_them_leave():
    places = Destinations(SLOTS)
    late = names(100, "late")
    for name in late:
        places._habits.remember(name, Habit.LATE)
    hung = hang(places, names(100))
    time_out(places, hung[:1])
    hang(places, ["next"], DEADLINE_S)
    delays = [places.park_s(name, DEADLINE_S) for name in late]
    assert delays == sorted(delays)
    assert delays[0] == 0.875, "ten seconds, twelve places, in eighths"
    assert delays[-1] == PARKED_MAX_S


def test_those_whom_nobody_has_asked_ask_again_soon_each_after_a_time_of_its_own():
    places = Destinations(SLOTS)
    hang(places, names(100))
    delays = [places.park_s(f"more{n}", DEADLINE_S) for n in range(1000)]
    assert max(delays) <= UNASKED_S
    assert len({*delays[100:]}) > 1


def test_however_many_nobody_has_asked_few_ask_again_in_a_second():
    places = Destinations(SLOTS)
    hang(places, names(100))
    delays = [places.park_s(f"more{n}", DEADLINE_S) for n in range(40_000)]
    assert sum(delays[-1000:]) / 1000 > 2 * UNASKED_S
    assert max(delays) <= PARKED_MAX_S


def test_one_send_shows_whether_a_newcomer_hangs_where_others_need_the_slots():
    places = Destinations(SLOTS)
    hang(places, names(STRANGERS // 2))
    found = [places.enter("new", "x", 0.0) for _ in range(3)]
    assert found == [Place.START, Place.NONE, Place.NONE]
    assert places.park_s("new", 0.0) == 0.125
    waits = [places.park_s("new", 3.5) for _ in range(100)]
    assert {*waits} == {4, 5, 6, 7}, "once to twice as long as the first has run, not all together"
    places.leave("new", 4.0, QUICK_S)
    assert places.enter("new", "x", 4.0) is Place.START


def test_what_one_sender_learns_of_a_receiver_all_senders_know():
    known = Habits()
    one, other = (Destinations[str](SLOTS, 2, known) for _ in range(2))
    hang(one, ["hangs"])
    time_out(one, ["hangs"])
    answer(one, "prompt")
    hang(other, names(STRANGERS))
    assert other.enter("hangs", "x", DEADLINE_S) is Place.NONE
    assert other.enter("prompt", "x", DEADLINE_S) is Place.START


def test_one_sender_that_learned_nothing_leaves_what_another_has_learned():
    known = Habits()
    one, other = (Destinations[str](SLOTS, 2, known) for _ in range(2))
    other.enter("prompt", "x", 0.0)
    answer(one, "prompt")
    other.leave("prompt", QUICK_S, None)
    assert known.of("prompt") is Habit.PROMPT


def test_a_burst_to_strangers_is_not_claimed_again_at_once():
    places = Destinations(SLOTS)
    hang(places, names(100))
    assert places.park_s("more", 0.0) == 0.125


def test_the_parked_of_a_time_that_is_over_hold_up_nobody():
    places = Destinations(SLOTS)
    hang(places, names(100))
    for _ in range(10_000):
        places.park_s("more", DEADLINE_S)
    assert places.park_s("late", DEADLINE_S + PARKED_MAX_S) <= 4


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_few_slots_can_still_be_used(slots):
    assert Destinations[str](slots).enter("any", "x", 0.0) is Place.START


def test_with_two_slots_one_is_left():
    places = Destinations(2)
    answer(places, "known")
    assert len(hang(places, names(9))) == 1
    assert places.enter("known", "x", 0.0) is Place.START


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(habits, "HABITS_MAX", 2)
    places = Destinations(SLOTS)
    for name in ("a", "b", "a", "c"):
        answer(places, name)
    known = [places._habits.of(name) for name in "abc"]
    assert known == [Habit.PROMPT, Habit.UNKNOWN, Habit.PROMPT]


@pytest.mark.parametrize("seed", range(10))
def test_whatever_comes_and_goes_what_strangers_hold_is_counted(seed):
    places, chance = Destinations[str](SLOTS), random.Random(seed)
    now, sending = 0.0, []
    for _ in range(2000):
        now += chance.choice([0.0, 0.001, 1.0])
        name = chance.choice("abcdefgh")
        if chance.random() < 0.6:
            sending += [name] if places.enter(name, name, now) is Place.START else []
        elif sending:
            sending.remove(name := chance.choice(sending))
            took_s, has_answered = chance.choice([None, QUICK_S, 3.0]), chance.random() < 0.6
            sending += places.leave(name, now, took_s, has_answered=has_answered)
        if chance.random() < 0.3:
            list(places.overdue(now))
        if chance.random() < 0.01:
            list(places.clear_queues())
        held = dict.fromkeys(Habit, 0)
        for destination in places._known.values():
            held[destination.habit] += destination.held
        pool = places._strangers
        assert pool._late_active == held[Habit.LATE]
        assert pool.active == held[Habit.LATE] + held[Habit.UNKNOWN]


def test_sound_newcomers_arrive_among_many_that_hang_though_nobody_has_asked_any():
    """After a start all are unknown: 32 slots, and 90 names that hang, with three rows each.

    In one line with all others none of the 20 arrived within the minute.
    """
    random.seed(1)
    arrived = sent_within(60.0, hanging=names(90) * 3, sound=names(20, "sound"))
    assert arrived >= 12


def sent_within(ends, hanging, sound):
    """Count what arrives at sound receivers: two senders, a clock of its own, no retries."""
    known = Habits()
    senders = [Destinations[str](SLOTS, 2, known) for _ in range(2)]
    due = [(n / 1000, n, name) for n, name in enumerate([*hanging, *sound])]
    sends, order, arrived = [], len(due), 0
    while due or sends:
        at, _, name = min(due[0] if due else sends[0], sends[0] if sends else due[0])[:3]
        order += 1
        if at > ends:
            break
        if sends and sends[0][0] == at:
            _, _, name, places, took_s = heappop(sends)
            is_sound = took_s < DEADLINE_S
            places.leave(name, at, took_s, has_answered=is_sound)
            arrived += is_sound
            continue
        heappop(due)
        places = senders[order % 2]
        if places.enter(name, name, at) is Place.START:
            took_s = QUICK_S if name.startswith("sound") else DEADLINE_S
            heappush(sends, (at + took_s, order, name, places, took_s))
        else:
            heappush(due, (at + places.park_s(name, at), order, name))
    return arrived
