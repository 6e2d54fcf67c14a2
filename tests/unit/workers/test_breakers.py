"""When a breaker opens, whom it lets through, when the others come back, and when it closes."""

import time
from collections import Counter
from heapq import heappop, heappush
from itertools import pairwise
from math import ceil

import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from service.config.settings import Settings
from service.metrics import WorkerMetrics
from service.model.words import Outcome
from tests.unit.workers.claims import a_claim
from workers import breakers
from workers.breaker import BACK_MAX_S, BACK_PER_S, OPEN_MAX_S, TRIP_AFTER, TURN_MAX_S
from workers.breakers import FORGET_S, HEARD_WITHIN_S, Breakers
from workers.claim import Verdict
from workers.outcome import blames_destination

DOWN = Verdict(outcome=Outcome.UNREACHABLE, code="connect_failed")
FINE = Verdict(outcome=Outcome.SENT, code="200")
HERE = "http://down.example"
ROW = a_claim({})


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def all_of_them(registry):
    return Breakers(Settings(), WorkerMetrics(registry))


def fail(some, times=1, at=0.0, name=HERE):
    for _ in range(times):
        some.report(name, DOWN, at, at)


def probe(some, now):
    """Wait for the end of the open time; gives when the next may be sent."""
    while wait_s := some.wait_s(ROW, HERE, now):
        now += wait_s
    return now


@pytest.mark.parametrize(
    ("outcome", "code", "blamed"),
    [
        ("temporary", "connect_failed", True),
        ("temporary", "dns", True),
        ("unknown", "timeout", True),
        ("temporary", "503", True),
        ("unknown", "600", True),
        ("unreachable", "dns", True),
        ("unreachable", "535", True),
        ("unreachable", "450", True),
        ("temporary", "408", False),
        ("temporary", "425", False),
        ("throttled", "429", False),
        ("throttled", "421", False),
        ("throttled", "503", False),
        ("deferred", "452", False),
        ("permanent", "550", False),
        ("permanent", "404", False),
        ("sent", "200", False),
    ],
)
def test_a_destination_is_blamed_for_what_would_befall_other_sends_too(outcome, code, blamed):
    assert blames_destination(Verdict(outcome=Outcome(outcome), code=code)) is blamed


def test_a_row_of_failures_opens_and_nothing_less(all_of_them):
    fail(all_of_them, TRIP_AFTER - 1)
    assert all_of_them.wait_s(ROW, HERE, 0.0) == 0.0
    fail(all_of_them)
    assert all_of_them.wait_s(ROW, HERE, 0.0) > 0.0
    assert all_of_them.wait_s(ROW, "http://other.example", 0.0) == 0.0


def test_an_answer_between_failures_begins_the_row_anew(all_of_them):
    for _ in range(3):
        fail(all_of_them, TRIP_AFTER - 1)
        all_of_them.report(HERE, FINE, 0.0, 0.0)
    assert all_of_them.wait_s(ROW, HERE, 0.0) == 0.0


def test_failures_long_ago_are_no_part_of_the_row(all_of_them):
    fail(all_of_them, TRIP_AFTER - 1, at=0.0)
    fail(all_of_them, TRIP_AFTER - 1, at=FORGET_S + 1)
    assert all_of_them.wait_s(ROW, HERE, FORGET_S + 1) == 0.0


def test_one_at_a_time_is_let_through_after_the_open_time(all_of_them):
    fail(all_of_them, TRIP_AFTER)
    began = probe(all_of_them, 0.0)
    waits = [all_of_them.wait_s(ROW, HERE, began) for _ in range(100)]
    assert min(waits) > 0.0
    all_of_them.report(HERE, FINE, began, began + 0.1)
    assert [all_of_them.wait_s(ROW, HERE, began + 0.1) for _ in range(100)] == [0.0] * 100


def test_a_probe_that_nobody_heard_of_again_is_followed_by_another(all_of_them):
    fail(all_of_them, TRIP_AFTER)
    began = probe(all_of_them, 0.0)
    assert all_of_them.wait_s(ROW, HERE, began + Settings().send_deadline_s + 2) == 0.0


def test_the_open_time_doubles_up_to_its_limit(all_of_them):
    fail(all_of_them, TRIP_AFTER)
    probes = [probe(all_of_them, 0.0)]
    for _ in range(6):
        fail(all_of_them, at=probes[-1])
        probes.append(probe(all_of_them, probes[-1]))
    gaps = [after - before for before, after in pairwise(probes)]
    assert 0.75 <= probes[0] <= 1.0
    for gap, limit in zip(gaps, [2, 4, 8, 8, 8, 8], strict=True):
        assert 0.75 * limit <= gap <= limit <= OPEN_MAX_S


def test_sends_that_were_under_way_when_it_opened_do_not_lengthen_the_open_time(all_of_them):
    fail(all_of_them, TRIP_AFTER + 400)
    assert probe(all_of_them, 0.0) <= 1.0


def test_a_late_answer_to_an_earlier_send_closes_too(all_of_them):
    fail(all_of_them, TRIP_AFTER)
    all_of_them.report(HERE, FINE, -5.0, 0.5)
    assert all_of_them.wait_s(ROW, HERE, 0.5) == 0.0


def test_one_comes_back_with_the_end_of_the_open_time_and_the_crowd_a_second_later(all_of_them):
    fail(all_of_them, TRIP_AFTER)
    first, *crowd = [all_of_them.wait_s(ROW, HERE, 0.0) for _ in range(BACK_PER_S + 2)]
    assert crowd[0] == ceil(first + 1), "whole seconds: each delay costs a call of release"
    assert set(crowd[:BACK_PER_S]) == {crowd[0]}
    assert crowd[-1] == pytest.approx(crowd[0] + 1)


def test_however_many_destinations_are_left_alone_few_rows_come_back_in_a_second(all_of_them):
    """It was 2,701 of these 20,000, and 40,934 of 300,000 of 500 destinations."""
    assert asked_per_s(all_of_them, destinations=50, rows=400) <= BACK_PER_S * 1.1


def test_rows_come_back_soon_where_few_destinations_are_left_alone(all_of_them):
    for n in range(10):
        fail(all_of_them, TRIP_AFTER, name=f"http://{n}.example")
    waits = [all_of_them.wait_s(ROW, "http://0.example", 0.0) for _ in range(BACK_PER_S)]
    assert max(waits) <= 12


def test_destinations_that_nobody_asks_any_more_leave_what_comes_back_to_the_others(all_of_them):
    for n in range(100):
        fail(all_of_them, TRIP_AFTER, name=f"http://{n}.example")
    later = TURN_MAX_S + 1
    fail(all_of_them, TRIP_AFTER, at=later)
    assert max(all_of_them.wait_s(ROW, HERE, later) for _ in range(BACK_PER_S)) <= 3


def test_destinations_that_answer_again_leave_it_to_the_others_too(all_of_them):
    for n in range(100):
        fail(all_of_them, TRIP_AFTER, name=f"http://{n}.example")
        all_of_them.report(f"http://{n}.example", FINE, 0.1, 0.1)
    fail(all_of_them, TRIP_AFTER, at=0.2)
    assert max(all_of_them.wait_s(ROW, HERE, 0.2) for _ in range(BACK_PER_S)) <= 3


def test_urls_of_one_destination_share_what_comes_back_once():
    some = Breakers(Settings(), WorkerMetrics(CollectorRegistry()))
    for n in range(100):
        for _ in range(TRIP_AFTER):
            some.report(f"{HERE} {n}", DOWN, 0.0, 0.0, HERE)
    waits = [some.wait_s(ROW, f"{HERE} 0", 0.0) for _ in range(BACK_PER_S)]
    assert max(waits) <= 3


def test_no_row_is_put_off_for_longer_than_some_minutes(all_of_them):
    for n in range(500):
        fail(all_of_them, TRIP_AFTER, name=f"http://{n}.example")
    waits = [
        all_of_them.wait_s(ROW, f"http://{n}.example", 0.0)
        for n in range(500)
        for _ in range(BACK_PER_S)
    ]
    assert BACK_MAX_S * 0.9 < max(waits) <= BACK_MAX_S + 3
    assert max(Counter(waits).values()) < len(waits) / 10, "what is too much is spread"


@pytest.mark.parametrize("dead", [0, 1, 5, 20])
def test_a_large_backlog_comes_back_as_soon_beside_small_ones(all_of_them, dead):
    for n in range(dead):
        fail(all_of_them, TRIP_AFTER, name=f"http://{n}.example")
        for _ in range(20):
            all_of_them.wait_s(ROW, f"http://{n}.example", 0.0)
    fail(all_of_them, TRIP_AFTER)
    waits = [all_of_them.wait_s(ROW, HERE, 0.0) for _ in range(20 * BACK_PER_S)]
    assert max(waits) <= 20 * (1 if not dead else 2) + 3


def test_a_small_backlog_comes_back_soon_beside_a_large_one(all_of_them):
    fail(all_of_them, TRIP_AFTER)
    fail(all_of_them, TRIP_AFTER, name="http://small.example")
    for _ in range(20 * BACK_PER_S):
        all_of_them.wait_s(ROW, HERE, 0.0)
    assert max(all_of_them.wait_s(ROW, "http://small.example", 0.0) for _ in range(200)) <= 3


def test_a_destination_and_its_urls_share_what_comes_back_once():
    some = Breakers(Settings(), WorkerMetrics(CollectorRegistry()))
    for _ in range(TRIP_AFTER):
        some.report(f"{HERE} /hook", DOWN, 0.0, 0.0, HERE)
        some.report(HERE, DOWN, 0.0, 0.0)
    assert some._count_crowds(0.0) == 1


def asked_per_s(some, destinations, rows):
    """Count the rows that ask in a second, after a minute in which every probe fails."""
    names = [f"http://{n}.example" for n in range(destinations)]
    for name in names:
        fail(some, TRIP_AFTER, name=name)
    due = [(0.0, name) for name in names for _ in range(rows)]
    asked = 0
    while due[0][0] < 60.0:
        at, name = heappop(due)
        asked += at > 30.0
        wait_s = some.wait_s(ROW, name, at)
        if not wait_s:
            fail(some, at=at, name=name)
        heappush(due, (at + (wait_s or 5.0), name))
    return asked / 30


def test_a_crowd_that_meets_a_hanging_probe_waits_as_long_again(all_of_them):
    fail(all_of_them, TRIP_AFTER)
    began = probe(all_of_them, 0.0)
    assert all_of_them.wait_s(ROW, HERE, began + 0.01) == pytest.approx(1.0)
    assert all_of_them.wait_s(ROW, HERE, began + 4.0) == pytest.approx(4.0)


def test_an_operators_probe_goes_at_once_and_closes_what_would_have_stayed_open(all_of_them):
    fail(all_of_them, TRIP_AFTER)
    assert all_of_them.wait_s(ROW, HERE, 0.1) > 0.5
    all_of_them.let_through(HERE, 0.2)
    waits = [all_of_them.wait_s(ROW, HERE, 0.2) for _ in range(100)]
    assert waits[0] == 0.0
    assert waits[1:] == pytest.approx([1.0] * 99), "not after all that were parked before"
    all_of_them.report(HERE, FINE, 0.2, 0.3)
    assert all_of_them.wait_s(ROW, HERE, 0.3) == 0.0


def test_an_operators_probe_that_fails_opens_it_again(all_of_them):
    fail(all_of_them, TRIP_AFTER)
    all_of_them.let_through(HERE, 0.2)
    assert all_of_them.wait_s(ROW, HERE, 0.2) == 0.0
    fail(all_of_them, at=0.2)
    assert all_of_them.wait_s(ROW, HERE, 0.3) > 0.5


def test_an_operators_probe_goes_beside_one_that_hangs_and_its_answer_counts(all_of_them):
    fail(all_of_them, TRIP_AFTER)
    began = probe(all_of_them, 0.0)
    all_of_them.let_through(HERE, began + 3)
    assert all_of_them.wait_s(ROW, HERE, began + 3) == 0.0
    all_of_them.report(HERE, DOWN, began, began + 4)
    assert all_of_them.left_alone(began + 4) == (0, 1), "the one that hung says nothing new"
    all_of_them.report(HERE, FINE, began + 3, began + 4)
    assert all_of_them.left_alone(began + 4) == (0, 0)


def test_an_operators_probe_of_what_does_not_fail_changes_nothing(all_of_them):
    fail(all_of_them, TRIP_AFTER - 1)
    all_of_them.let_through(HERE, 0.0)
    all_of_them.let_through("http://other.example", 0.0)
    assert all_of_them.left_alone(0.0) == (0, 0)
    fail(all_of_them)
    assert all_of_them.wait_s(ROW, HERE, 0.0) > 0.0


def test_a_row_is_let_through_from_the_end_of_its_own_patience_on(all_of_them):
    fail(all_of_them, TRIP_AFTER)
    overdue = replace(ROW, patience_ends=0.0)
    assert [all_of_them.wait_s(overdue, HERE, 0.0) for _ in range(100)] == [0.0] * 100
    assert all_of_them.wait_s(ROW, HERE, 0.0) > 0.0
    assert all_of_them.wait_s(replace(ROW, patience_ends=0.1), HERE, 0.0) > 0.0


def test_a_probe_that_is_throttled_closes(all_of_them):
    fail(all_of_them, TRIP_AFTER)
    began = probe(all_of_them, 0.0)
    throttled = Verdict(outcome=Outcome.THROTTLED, code="429")
    all_of_them.report(HERE, throttled, began, began + 0.1)
    assert all_of_them.wait_s(ROW, HERE, began + 0.1) == 0.0


def test_what_it_knows_is_bounded_and_the_longest_without_failure_goes_first(
    all_of_them, monkeypatch
):
    monkeypatch.setattr(breakers, "KNOWN_MAX", 3)
    fail(all_of_them, TRIP_AFTER)
    for n in range(3):
        fail(all_of_them, name=f"http://{n}.example")
    assert len(all_of_them._known) == 3
    assert all_of_them.wait_s(ROW, HERE, 0.0) == 0.0
    assert all_of_them.left_alone(0.0) == (0, 0)


def test_it_is_told_once_when_it_opens_and_once_when_it_closes(all_of_them, registry, events):
    fail(all_of_them, TRIP_AFTER)
    assert all_of_them.left_alone(0.0) == (1, 0)
    now = 0.0
    for _ in range(3):
        now = probe(all_of_them, now)
        fail(all_of_them, at=now)
    now = probe(all_of_them, now)
    assert all_of_them.left_alone(now) == (0, 1)
    all_of_them.report(HERE, FINE, now, now)
    all_of_them.report(HERE, FINE, now, now)
    assert [record["message"] for record in events] == ["breaker_open", "breaker_closed"]
    assert {record["extra"]["destination"] for record in events} == {HERE}
    assert registry.get_sample_value("worker_breakers_opened_total") == 1
    assert all_of_them.left_alone(now) == (0, 0)


def test_a_destination_is_shown_as_open_until_it_is_time_to_ask_it_again(all_of_them, registry):
    def shown(state):
        return registry.get_sample_value("worker_breakers", {"state": state})

    now = time.monotonic()
    fail(all_of_them, TRIP_AFTER, at=now)
    fail(all_of_them, TRIP_AFTER, at=now - HEARD_WITHIN_S + 60, name="http://ago.example")
    fail(all_of_them, TRIP_AFTER, at=now - HEARD_WITHIN_S - 60, name="http://long-ago.example")
    assert (shown("open"), shown("half_open")) == (1, 1)  # nobody asks the third any more


def test_a_probe_that_could_not_begin_lets_another_be_it(all_of_them):
    fail(all_of_them, TRIP_AFTER)
    at = probe(all_of_them, 0.0)
    assert all_of_them.wait_s(ROW, HERE, at + 0.1) > 0.0
    all_of_them.not_sent(HERE, at + 0.1)  # that was another
    assert all_of_them.wait_s(ROW, HERE, at + 0.1) > 0.0
    all_of_them.not_sent(HERE, at)
    assert all_of_them.wait_s(ROW, HERE, at + 0.1) == 0.0


def test_what_failed_long_ago_makes_room_when_something_fails(all_of_them):
    fail(all_of_them, at=0.0, name="http://long-ago.example")
    fail(all_of_them, TRIP_AFTER, at=1.0, name="http://open.example")
    fail(all_of_them, at=2.0 + FORGET_S)
    assert list(all_of_them._known) == ["http://open.example", HERE]
