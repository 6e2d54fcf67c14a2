"""What the breakers and the paces say together, of a destination or of a domain behind a server."""

from heapq import heappop, heappush

import pytest
from prometheus_client import CollectorRegistry

from service.config.settings import Settings
from service.metrics import WorkerMetrics
from service.model.words import Outcome
from tests.unit.workers.claims import a_claim
from workers import parkings
from workers.breaker import OPEN_MAX_S, TRIP_AFTER, TURN_MAX_S
from workers.breakers import HEARD_WITHIN_S, Breakers
from workers.channels.webhook import WebhookChannel
from workers.claim import Parked, Verdict
from workers.flight import Flight
from workers.hold import HELD_FROM
from workers.pace import ROUND_S
from workers.paces import Paces
from workers.parkings import GONE_AFTER_S, Parkings
from workers.standing import Standing, part_of

HERE = "https://here.example"
SERVER, DOMAIN = "smtp://mail.example:25", "smtp://mail.example:25 here.example"
SENT = Verdict(outcome=Outcome.SENT, code="200")
BROKEN = Verdict(outcome=Outcome.TEMPORARY, code="502")
DOWN = Verdict(outcome=Outcome.UNREACHABLE, code="connect_failed")
THROTTLED = Verdict(outcome=Outcome.THROTTLED, code="429")
ENDS = [Verdict(outcome=outcome) for outcome in Outcome if outcome is not Outcome.SENT]


@pytest.fixture
def standing():
    metrics = WorkerMetrics(CollectorRegistry())
    return Standing(Breakers(Settings(), metrics), Paces(), Parkings())


def flight(destination=HERE, share=None, at=0.0):
    return Flight(a_claim({}), WebhookChannel(Settings()), destination, share or destination, at)


def at_url(path, at=0.0):
    claim = a_claim({}, recipient=HERE + path)
    return Flight(claim, WebhookChannel(Settings()), HERE, HERE, at)


def fail(standing, some, verdict=DOWN):
    for _ in range(TRIP_AFTER):
        standing.report(some, verdict, 0.0)


def throttle(standing, some):
    """Let its URL refuse round after round."""
    for number in range(HELD_FROM):
        some.started_at = number * 2 * ROUND_S
        standing.report(some, THROTTLED, some.started_at)


def reason(parked):
    return None if parked is None else parked.parked


@pytest.mark.parametrize("share", [None, DOMAIN])
def test_where_nothing_is_known_all_may_begin_and_what_sent_stays_as_it_is(standing, share):
    some = flight(share=share)
    assert standing.park(some) is None
    assert standing.report(some, SENT, 0.0) is SENT


@pytest.mark.parametrize("verdict", ENDS, ids=[str(verdict.outcome) for verdict in ENDS])
def test_where_nothing_is_known_only_what_blames_or_throttles_makes_it_known(standing, verdict):
    standing.report(flight(), verdict, 0.0)
    assert standing._breakers.is_empty is (
        verdict.outcome not in (Outcome.UNREACHABLE, Outcome.TEMPORARY, Outcome.UNKNOWN)
    )
    assert standing._paces.is_empty is (verdict.outcome is not Outcome.THROTTLED)


@pytest.mark.parametrize("share", [None, DOMAIN])
def test_what_fails_is_left_alone_though_nobody_throttles(standing, share):
    some = flight(share=share)
    fail(standing, some)
    assert reason(standing.park(some)) is Parked.BREAKER
    assert standing.park(flight("https://other.example")) is None


def test_what_throttles_is_left_alone_though_nobody_fails(standing):
    some = flight()
    throttle(standing, some)
    assert reason(standing.park(some)) is Parked.URL
    assert standing.park(flight("https://other.example")) is None


@pytest.mark.parametrize("share", [None, DOMAIN])
def test_one_that_sends_again_is_forgotten_as_failing(standing, share):
    some = flight(share=share)
    fail(standing, some)
    standing.report(some, SENT, 0.0)
    assert standing._breakers.is_empty
    assert standing.park(some) is None


def test_a_domain_that_sends_again_closes_its_own_breaker_and_its_servers(standing):
    some = flight(SERVER, DOMAIN)
    fail(standing, some)
    domains_own = Verdict(outcome=Outcome.TEMPORARY, code="x", of_domain=True)
    standing.report(some, domains_own, 0.0)
    assert not standing._breakers.is_empty
    standing.report(some, Verdict(outcome=Outcome.SENT, of_domain=True), 0.0)
    assert standing._breakers.is_empty
    assert standing.park(some) is None


def test_what_is_down_is_kept_back_since_it_is_down_though_no_row_of_it_is_here(standing):
    """A few rows wait for their next attempts in the ledger, and each look is one of them."""
    some = flight()
    fail(standing, some)
    some.started_at = 0.5
    assert reason(standing.park(some)) is Parked.BREAKER
    [parking] = standing.kept_back(0.5).values()
    assert parking.since == 0.0
    later = parking.until + GONE_AFTER_S + 100
    assert [p.since for p in standing.kept_back(later).values()] == [0.0]
    some.started_at = later
    assert standing.park(some) is None  # the probe
    standing.report(some, DOWN, later)
    long_ago = later + HEARD_WITHIN_S + 1
    assert standing.kept_back(long_ago - 2)
    assert not standing.kept_back(long_ago)
    some.started_at = long_ago
    standing.park(some)  # the probe
    standing.park(some)
    assert [p.since for p in standing.kept_back(long_ago).values()] == [long_ago]


def test_what_answers_is_kept_back_no_longer(standing):
    some = flight()
    fail(standing, some)
    some.started_at = 0.5
    standing.park(some)
    [parking] = standing.kept_back(0.5).values()
    some.started_at = parking.until + 1
    assert standing.park(some) is None
    standing.report(some, SENT, some.started_at)
    assert not standing.kept_back(some.started_at + GONE_AFTER_S)


def test_a_url_that_fails_leaves_the_others_of_its_destination_alone(standing):
    fail(standing, at_url("/broken"), BROKEN)
    assert reason(standing.park(at_url("/broken", 0.5))) is Parked.BREAKER
    assert standing.park(at_url("/sound", 0.5)) is None
    [kept] = standing.kept_back(0.5)
    assert (kept.destination, kept.url_hash != "") == (HERE, True)


def test_what_cannot_be_reached_is_about_all_urls(standing):
    fail(standing, at_url("/one"), DOWN)
    assert reason(standing.park(at_url("/other", 0.5))) is Parked.BREAKER
    [kept] = standing.kept_back(0.5)
    assert (kept.destination, kept.url_hash) == (HERE, "")


def test_many_urls_that_fail_in_a_row_are_about_all_of_them(standing):
    for number in range(TRIP_AFTER):
        standing.report(at_url(f"/{number}"), BROKEN, 0.0)
    assert reason(standing.park(at_url("/other", 0.5))) is Parked.BREAKER
    standing.report(at_url("/other", 0.5), SENT, 0.6)
    assert standing.park(at_url("/another", 0.7)) is None


def test_a_url_that_answers_again_is_forgotten_as_failing(standing):
    fail(standing, at_url("/broken"), BROKEN)
    standing.report(at_url("/broken", 0.5), SENT, 0.6)
    assert standing._breakers.is_empty


def test_a_probe_of_a_url_that_cannot_be_reached_says_nothing_of_the_url(standing):
    fail(standing, at_url("/broken"), BROKEN)
    assert standing.park(at_url("/broken", 2.0)) is None  # its probe
    standing.report(at_url("/broken", 2.0), DOWN, 2.1)
    assert standing.park(at_url("/broken", 2.2)) is None


def test_one_that_its_destination_keeps_back_is_not_the_probe_of_its_url(standing):
    fail(standing, at_url("/broken"), BROKEN)
    fail(standing, at_url("/broken"), DOWN)
    later = 8.0  # the first open times of both are over
    assert standing.park(at_url("/sound", later)) is None  # the destination's probe
    assert reason(standing.park(at_url("/broken", later))) is Parked.BREAKER
    standing.report(at_url("/sound", later), SENT, later)
    assert standing.park(at_url("/broken", later)) is None


def test_an_operators_probe_lets_a_row_of_each_failing_url_through(standing):
    fail(standing, at_url("/one"), BROKEN)
    fail(standing, at_url("/two"), BROKEN)
    for path in ("/one", "/two"):
        assert reason(standing.park(at_url(path, 0.1))) is Parked.BREAKER
    standing.let_through("webhook", HERE, 0.2)
    for path in ("/one", "/two"):
        assert standing.park(at_url(path, 0.2)) is None


def test_an_operators_probe_reaches_failing_urls_that_the_list_had_no_room_for(
    standing, monkeypatch
):
    monkeypatch.setattr(parkings, "URLS_MAX", 1)
    for path in ("/one", "/two"):
        fail(standing, at_url(path), BROKEN)
        assert reason(standing.park(at_url(path, 0.1))) is Parked.BREAKER
    standing.let_through("webhook", HERE, 0.2)
    assert [standing.park(at_url(path, 0.2)) for path in ("/one", "/two")] == [None, None]


def test_an_operators_probe_reaches_held_urls_that_the_list_had_no_room_for(standing, monkeypatch):
    monkeypatch.setattr(parkings, "URLS_MAX", 1)
    for path in ("/one", "/two"):
        throttle(standing, at_url(path))
    for path in ("/one", "/two"):
        assert reason(standing.park(at_url(path, 4.5))) is Parked.URL
    standing.let_through("webhook", HERE, 4.6)
    assert [standing.park(at_url(path, 4.6)) for path in ("/one", "/two")] == [None, None]


def outage(standing, urls, rows, lasts_s):
    """Let a host answer 502 to all; returns how many of its rows were sent meanwhile."""
    now, sent, waiting = 0.0, 0, [(0.0, number) for number in range(rows)]
    while now < lasts_s:
        now, number = heappop(waiting)
        some = at_url(f"/{number % urls}", now)
        parked = standing.park(some)
        if parked is None:
            sent += 1
            standing.report(some, BROKEN, now + 0.02)
        heappush(waiting, (now + (parked.delay_s if parked else 5.0), number))
    return sent


@pytest.mark.parametrize("urls", [1, 3, 9, 12, 50])
def test_an_outage_costs_as_few_attempts_however_many_urls_there_are(standing, urls):
    in_turn = 600 / (0.75 * OPEN_MAX_S)
    own = TRIP_AFTER + 3  # and the probes after 1, 2 and 4 s
    assert outage(standing, urls, 200, 600.0) <= own * min(urls, TRIP_AFTER) + in_turn


def test_a_url_with_a_hiccup_asks_soon_beside_many_that_are_broken_for_good(standing):
    for number in range(20):
        fail(standing, at_url(f"/broken{number}"), BROKEN)
        standing.report(at_url("/sound"), SENT, 0.0)
    for at in (10.0, 1000.0, 2000.0, 3000.0):  # until all have the longest open time
        for number in range(20):
            some = at_url(f"/broken{number}", at)
            assert standing.park(some) is None
            standing.report(some, BROKEN, at)
    for _ in range(TRIP_AFTER):
        standing.report(at_url("/hiccup", 3001.0), BROKEN, 3001.0)
    assert standing.park(at_url("/hiccup", 3001.1)) is not None
    assert standing.park(at_url("/hiccup", 3002.1)) is None


def test_a_turn_comes_in_time_however_many_urls_are_broken_for_good(standing):
    for number in range(200):
        fail(standing, at_url(f"/broken{number}"), BROKEN)
        standing.report(at_url("/sound"), SENT, 0.0)
    for at in (10.0, 3000.0, 6000.0, 9000.0):
        for number in range(200):
            some = at_url(f"/broken{number}", at)
            assert standing.park(some) is None
            standing.report(some, BROKEN, at)
    for number in range(200):
        assert standing.park(at_url(f"/broken{number}", 9000.0 + TURN_MAX_S)) is None


def test_urls_that_fail_ask_at_once_when_one_of_them_is_answered(standing):
    for path in ("/one", "/two", "/three"):
        fail(standing, at_url(path), BROKEN)
    assert standing.park(at_url("/one", 4.0)) is None  # its probe
    standing.report(at_url("/one", 4.0), SENT, 4.1)
    assert standing.park(at_url("/three", 4.2)) is None


def test_the_name_of_a_url_that_fails_is_no_secret():
    name = part_of(at_url("/services/T0/secret"))
    assert name.startswith(HERE + " ")
    assert "secret" not in name
