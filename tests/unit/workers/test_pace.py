"""How the pace of a destination falls and rises, whom it parks, and when it is forgotten."""

import math
from collections import Counter
from heapq import heappop, heappush

import msgspec
import pytest

import workers.paces
from tests.unit.workers.receivers import (
    SENT,
    Closed,
    FixedWindow,
    Road,
    TokenBucket,
    rows,
    throttled,
)
from workers.claim import Parked
from workers.hold import Hold
from workers.pace import FORGET_S, LEAST_PER_S, START_PER_S
from workers.paces import OVERDUE_PER_S, PROBE_WITHIN_S, Paces
from workers.returns import DELAY_MAX_S, FAR_MAX_S

HERE, ELSEWHERE = "https://limited.example", "https://free.example"
[ROW] = rows(1)


@pytest.fixture
def paces():
    return Paces()


def throttle(paces, at, row=ROW, name=HERE, retry_after_s=None):
    """Let one that was sent at this moment be throttled; say how long it is to wait."""
    return paces.report(row, name, throttled(retry_after_s), at, at).retry_after_s


def slow_down(paces, at=0.0, row=ROW):
    """Let as many be throttled as it takes for a pace."""
    for _ in range(3):
        paces.report(row, HERE, throttled(), at, at)
    assert paces._known[HERE].per_s == START_PER_S


def sent_in(paces, seconds, start=0.0, row=ROW):
    """Count what is let through when one asks a hundred times a second."""
    asked = [start + n / 100 for n in range(int(seconds * 100))]
    return sum(paces.park(row, HERE, at) is None for at in asked)


@pytest.mark.parametrize(
    ("receiver", "at_least_per_s"),
    [
        (FixedWindow(20), 12),
        (FixedWindow(20, retry_after=True), 12),
        (TokenBucket(20, 20), 12),
        (TokenBucket(20, 20, retry_after=True), 12),
        (TokenBucket(20, 5), 12),
        (TokenBucket(20, 1), 8),
        (FixedWindow(200), 50),
        (FixedWindow(5), 3),
    ],
    ids=str,
)
def test_all_rows_arrive_near_the_rate_of_a_receiver_that_throttles(receiver, at_least_per_s):
    road = Road()
    road.add(rows(400), HERE, receiver)
    road.run(until=600)
    assert len(road.arrived) == 400
    assert 400 / max(road.arrived.values()) >= at_least_per_s
    assert max(road.sends.values()) <= 20
    assert sum(road.sends.values()) <= 4 * 400
    assert max(road.parks.values()) <= 30


@pytest.mark.parametrize("retry_after", [False, True])
def test_urgent_rows_wait_behind_no_backlog_for_a_receiver_that_throttles(retry_after):
    road, receiver = Road(), FixedWindow(10, retry_after=retry_after)
    road.add(rows(2000), HERE, receiver)
    began = {f"urgent-{n}-0": 20 + n for n in range(20)}
    for n in range(20):
        road.add(rows(1, of=f"urgent-{n}", is_urgent=True), HERE, receiver, at=20 + n)
    road.run(until=60)
    waited_s = [road.arrived[id] - at for id, at in began.items()]
    assert max(waited_s) <= 10
    assert sum(waited_s) / 20 <= 2
    assert len(road.arrived) >= 60 * 6, "the others are hardly slowed"


def test_rows_that_keep_coming_are_sent_at_the_receivers_rate():
    road, receiver = Road(), TokenBucket(20, 20)
    for second in range(100):
        road.add(rows(18, of=f"at-{second}"), HERE, receiver, second)
    road.run(until=130)
    assert len(road.arrived) == 1800


@pytest.mark.parametrize("until", [10.0, 45.0, 300.0, 1800.0])
def test_all_arrive_soon_after_a_receiver_takes_again(until):
    road = Road()
    road.add(rows(500), HERE, Closed(until))
    road.run(until=until + 90)
    assert len(road.arrived) == 500
    assert min(road.arrived.values()) <= until + 40
    assert max(road.sends.values()) <= 20


def test_neighbours_are_sent_at_once_while_another_is_throttled():
    road = Road()
    road.add(rows(1000), HERE, FixedWindow(20))
    for second in range(20):
        road.add(rows(10, of=f"free-{second}"), ELSEWHERE, FixedWindow(1000), second)
    road.run(until=30)
    free = {id: n for id, n in road.sends.items() if id.startswith("free")}
    assert len(free) == 200
    assert set(free.values()) == {1}
    assert not [id for id in road.parks if id.startswith("free")]


def test_what_was_under_way_when_the_pace_fell_does_not_lower_it_again(paces):
    for _ in range(400):
        paces.report(ROW, HERE, throttled(), 0.0, 0.1)
    assert paces._known[HERE].per_s == START_PER_S
    throttle(paces, 2.0)
    assert paces._known[HERE].per_s < START_PER_S


def test_what_was_under_way_when_the_pace_fell_does_not_raise_it_either(paces):
    slow_down(paces, at=1.0)
    for _ in range(400):
        paces.report(ROW, HERE, SENT, 0.5, 1.1)
    assert paces._known[HERE].per_s == START_PER_S
    paces.report(ROW, HERE, SENT, 1.0, 1.2)
    assert paces._known[HERE].per_s > START_PER_S


def test_the_pace_bounds_what_is_sent(paces):
    slow_down(paces)
    assert sent_in(paces, 10) <= 10 * START_PER_S + 3


def test_the_pace_has_a_least(paces):
    for second in range(0, 200, 2):
        throttle(paces, float(second))
    assert paces._known[HERE].per_s == LEAST_PER_S


def test_a_destination_that_nobody_throttled_is_not_known(paces):
    assert paces.report(ROW, HERE, SENT, 0.0, 0.0) is SENT
    assert paces.park(ROW, HERE, 0.0) is None
    assert not paces._known


def test_parked_rows_come_back_one_after_another_and_few_delays_differ(paces):
    slow_down(paces)
    parked = [p for n in range(5000) if (p := paces.park(ROW, HERE, 0.0))]
    delays = [p.delay_s for p in parked]
    assert delays == sorted(delays)
    assert {p.parked for p in parked} == {Parked.PACE}
    assert len(set(delays)) <= 150
    assert max(delays) < 20


def test_however_many_destinations_throttle_few_rows_come_back_in_a_second(paces):
    """It was 1,430 of these 20,000, and 18,450 of 300,000 of 500 destinations."""
    assert asked_per_s(paces, destinations=50, rows_each=400) <= 1000


def asked_per_s(paces, destinations, rows_each):
    """Count the rows that ask in a second, where every send is answered `Retry-After: 5`."""
    names = [f"https://{n}.example" for n in range(destinations)]
    due = [
        (0.0, n, msgspec.structs.replace(ROW, recipient=names[n % destinations]))
        for n in range(destinations * rows_each)
    ]
    asked = 0
    while due[0][0] < 60.0:
        at, n, row = heappop(due)
        asked += at > 30.0
        parked = paces.park(row, row.recipient, at)
        wait_s = parked.delay_s if parked else throttle(paces, at, row, row.recipient, 5.0)
        heappush(due, (at + wait_s, n, row))
    return asked / 30


def test_destinations_that_throttle_no_more_leave_what_comes_back_to_the_others(paces):
    for n in range(100):
        throttle(paces, 0.0, name=f"https://{n}.example")
    throttle(paces, FORGET_S + 1)
    assert list(paces._known) == [HERE]


def test_no_row_is_put_off_for_longer_than_some_minutes_after_the_time_named(paces):
    for n in range(500):
        throttle(paces, 0.0, name=f"https://{n}.example")
    slow_down(paces)
    throttle(paces, 0.0, retry_after_s=60.0)
    waits = [paces.park(ROW, HERE, 0.0).delay_s for _ in range(50_000)]
    assert 300 < max(waits) <= 60 + FAR_MAX_S
    assert max(Counter(waits).values()) < len(waits) / 10, "what is too much is spread"


def test_one_that_takes_much_gets_as_much_beside_others_that_throttle():
    road = Road()
    for n in range(20):
        road.add(
            rows(10, f"https://{n}.example/", of=f"slow-{n}"),
            f"https://{n}.example",
            FixedWindow(1),
        )
    road.add(rows(4000), HERE, FixedWindow(100))
    road.run(until=200)
    assert max(at for id, at in road.arrived.items() if id.startswith("row")) <= 90


def test_one_that_is_held_for_an_hour_keeps_no_other_one_known(paces):
    [other] = rows(1, f"{ELSEWHERE}/hook")
    throttle(paces, 0.0, row=other, name=ELSEWHERE, retry_after_s=3600.0)
    for n in range(100):
        throttle(paces, 0.0, name=f"https://{n}.example")
    slow_down(paces, at=FORGET_S + 1)
    assert list(paces._known) == [ELSEWHERE, HERE]


def test_a_few_refusals_among_many_answers_slow_nobody_down(paces):
    for n in range(1000):
        at = n / 100
        paces.report(ROW, HERE, throttled() if n % 20 == 0 else SENT, at, at)
    assert sent_in(paces, 1, start=10.0) == 100


@pytest.mark.parametrize("receiver", [FixedWindow(20), FixedWindow(20, retry_after=True), Closed()])
def test_another_tenant_of_the_same_host_goes_on(receiver):
    road, free = Road(), FixedWindow(100_000)
    road.add(rows(400, of="limited"), HERE, receiver)
    for n in range(6000):
        road.add(rows(1, url="https://limited.example/other", of=f"free-{n}"), HERE, free, n / 100)
    road.run(until=90)
    waited = sorted(road.arrived.get(f"free-{n}-0", math.inf) - n / 100 for n in range(6000))
    assert waited[3000] < 0.1
    assert waited[-1] < 45
    assert free.taken.total() == 6000


def test_a_url_that_takes_nothing_is_asked_less_and_less(paces):
    slow_down(paces)
    waits = [throttle(paces, 50.0 * n) for n in range(1, 12)]
    assert waits == sorted(waits)
    assert 30 <= waits[-1] <= 40
    assert paces.park(ROW, HERE, 551.0).parked is Parked.URL
    paces.report(ROW, HERE, SENT, 620.0, 620.0)
    assert throttle(paces, 622.0) < 10


def test_retry_after_holds_the_rows_of_its_url_and_no_others(paces):
    other = rows(1, url="https://limited.example/another-tenant")[0]
    assert throttle(paces, 0.0, retry_after_s=30) >= 30
    held = paces.park(ROW, HERE, 1.0)
    assert held.parked is Parked.URL
    assert held.delay_s >= 29
    assert paces.park(other, HERE, 1.0) is None
    assert paces.park(ROW, HERE, 40.0) is None


def test_held_rows_come_back_spread_by_the_pace(paces):
    waits = [throttle(paces, 0.0, retry_after_s=30) for _ in range(40)]
    waits += [paces.park(ROW, HERE, 0.5).delay_s + 0.5 for _ in range(20)]
    assert waits == sorted(waits)
    assert waits[0] >= 30
    assert waits[-1] >= 31


@pytest.mark.parametrize("retry_after_s", [7200, 1e30, math.inf])
def test_no_wait_is_longer_than_an_hour(paces, retry_after_s):
    waits = [throttle(paces, 0.0, retry_after_s=retry_after_s) for _ in range(1000)]
    assert max(waits) <= DELAY_MAX_S
    assert max(paces.park(ROW, HERE, 0.0).delay_s for _ in range(1000)) <= DELAY_MAX_S


def test_a_held_row_comes_back_for_its_end(paces):
    throttle(paces, 0.0, retry_after_s=3600)
    [expires] = rows(1, expires_at=100.0)
    [impatient] = rows(1, patience_ends=200.0)
    assert paces.park(expires, HERE, 0.0).delay_s == 100
    assert paces.park(impatient, HERE, 0.0).delay_s == 200


def test_a_row_beyond_its_patience_is_not_held_and_keeps_the_pace(paces):
    [overdue] = rows(1, patience_ends=0.0)
    slow_down(paces, row=overdue)
    throttle(paces, 0.0, row=overdue, retry_after_s=3600)
    assert paces.park(overdue, HERE, 1.0) is None
    assert sent_in(paces, 10, start=2.0, row=overdue) <= 10 * START_PER_S + 3


def test_rows_beyond_their_patience_end_though_the_receiver_takes_nothing(paces):
    [overdue] = rows(1, patience_ends=0.0)
    for second in range(0, 100, 2):
        throttle(paces, float(second), row=overdue)
    assert sent_in(paces, 10, start=100.0, row=overdue) >= 10 * OVERDUE_PER_S - 1
    assert sent_in(paces, 10, start=120.0, row=ROW) <= 3


def test_a_backlog_of_overdue_rows_ends_at_a_closed_receiver():
    road = Road(attempts=4)
    road.add(rows(300, patience_ends=0.0), HERE, Closed())
    road.run(until=300)
    assert len(road.failed) == 300


def test_a_destination_is_forgotten_when_it_has_not_throttled_for_a_while(paces, events):
    slow_down(paces)
    throttle(paces, 5.0)
    paces.report(ROW, HERE, SENT, 5.0 + FORGET_S, 5.0 + FORGET_S)
    assert HERE in paces._known
    assert paces.park(ROW, HERE, 6.0 + FORGET_S) is None
    assert not paces._known
    assert [record["message"] for record in events] == ["pace_lowered", "pace_forgotten"]
    assert {record["extra"]["destination"] for record in events} == {HERE}


def test_a_destination_is_known_as_long_as_a_url_of_it_is_held(paces):
    throttle(paces, 0.0, retry_after_s=1000)
    assert paces.park(ROW, HERE, 900.0).parked is Parked.URL


def test_a_url_that_refuses_now_and_then_is_not_taken_for_one_that_takes_nothing():
    hold = Hold()
    for round_no in range(10):  # what it takes in between, other processes send
        at = round_no * (FORGET_S + 1)
        hold.note_refusal(None, at, at)
        assert hold.until <= at


def test_one_that_refuses_again_within_a_minute_after_a_pause_is_left_alone_for_longer():
    hold, waits, at = Hold(), [], 0.0
    for _ in range(6):
        hold.note_refusal(None, at, at)
        waits.append(hold.until - at)
        at = hold.until + FORGET_S - 1
    assert waits == [0.0, 0.0, 1.0, 2.0, 4.0, 8.0]


def test_what_it_knows_is_bounded_and_the_longest_unthrottled_goes_first(paces, monkeypatch):
    monkeypatch.setattr(workers.paces, "KNOWN_MAX", 3)
    for n in range(5):
        [row] = rows(1, url=f"https://{n}.example/")
        throttle(paces, float(n), row=row, name=f"https://{n}.example", retry_after_s=9)
        throttle(paces, float(n), name=HERE)
    assert list(paces._known) == ["https://3.example", "https://4.example", HERE]
    assert list(paces._held) == ["https://3.example/", "https://4.example/", ROW.recipient]


URL, OTHER = "https://limited.example/a", "https://limited.example/b"
HELD, NEXT_HELD = (msgspec.structs.replace(ROW, recipient=url) for url in (URL, OTHER))


def test_an_operators_probe_costs_a_paused_url_one_request_and_ends_the_pause_if_it_is_taken(paces):
    throttle(paces, 0.0, HELD, retry_after_s=1800.0)
    assert paces.park(HELD, HERE, 10.0).parked is Parked.URL
    paces.let_through(HERE, {URL}, 10.0)
    assert paces.park(HELD, HERE, 12.0) is None
    behind = paces.park(HELD, HERE, 12.1)
    assert (behind.parked, behind.delay_s) == (Parked.URL, 1.0), "one is enough to know"
    paces.report(HELD, HERE, SENT, 12.0, 12.2)
    assert paces.park(HELD, HERE, 12.3) is None


def test_an_operators_probe_that_is_throttled_leaves_the_pause_as_the_receiver_asks(paces):
    throttle(paces, 0.0, HELD, retry_after_s=60.0)
    paces.let_through(HERE, {URL}, 10.0)
    assert paces.park(HELD, HERE, 12.0) is None
    assert throttle(paces, 12.0, HELD, retry_after_s=1800.0) >= 1800.0
    assert paces.park(HELD, HERE, 12.1).delay_s > 1700.0


def test_what_was_taken_before_the_pause_does_not_end_it(paces):
    throttle(paces, 0.0, HELD, retry_after_s=1800.0)
    paces.let_through(HERE, {URL}, 1.0)
    paces.report(HELD, HERE, SENT, -1.0, 1.0)
    assert paces.park(HELD, HERE, 2.0) is None
    assert paces.park(HELD, HERE, 2.1).parked is Parked.URL


def test_an_operators_probe_of_several_urls_costs_each_one_request(paces):
    for row in (HELD, NEXT_HELD):
        throttle(paces, 0.0, row, retry_after_s=1800.0)
    paces.let_through(HERE, {URL, OTHER}, 10.0)
    assert [paces.park(row, HERE, 12.0) is None for row in (HELD, NEXT_HELD)] == [True, True]
    assert [paces.park(row, HERE, 12.1) is None for row in (HELD, NEXT_HELD)] == [False, False]


def test_an_operators_probe_passes_a_pace_once(paces):
    slow_down(paces)
    while paces.park(ROW, HERE, 1.0) is None:
        pass
    paces.let_through(HERE, set(), 1.0)
    assert paces.park(ROW, HERE, 1.0) is None
    assert paces.park(ROW, HERE, 1.0).parked is Parked.PACE


def test_an_operators_probe_that_no_row_came_for_is_forgotten(paces):
    throttle(paces, 0.0, HELD, retry_after_s=1800.0)
    paces.let_through(HERE, {URL}, 10.0)
    assert paces.park(HELD, HERE, 10.0 + PROBE_WITHIN_S).parked is Parked.URL


def test_an_operators_probe_of_what_is_not_known_changes_nothing(paces):
    paces.let_through(ELSEWHERE, {"https://free.example/x"}, 0.0)
    assert not paces.knows(ELSEWHERE)
