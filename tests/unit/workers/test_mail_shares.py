"""The domains behind one mail server: its connections and its slots, had in turn."""

import random

import pytest

from workers.destinations import SLOW_KNOWN_MAX, Destinations, Place
from workers.shares import PARKED_MAX_S, SLOW_S

SERVER, AT_ONCE = "smtp://mail.example:25", 8
QUICK_S, SLOW = 0.01, SLOW_S * 3


class Mails:
    """A sender's mails: numbered, each to its domain, at a time that the test moves."""

    def __init__(self, slots=256, at_once=AT_ONCE):
        self.places = Destinations(slots)
        self.at_once = at_once
        self.now = 0.0
        self.sending = []

    def come(self, *domains):
        """Let a mail to each come; say what became of them."""
        return [self.enter(domain) for domain in domains]

    def enter(self, domain):
        place = self.places.enter_behind(SERVER, self.at_once, domain, domain, self.now)
        if place is Place.START:
            self.sending.append(domain)
        return place

    def end(self, domain, took_s=QUICK_S):
        """Let one under way end, and whoever is next begin; returns those."""
        self.sending.remove(domain)
        begun = self.places.leave(domain, self.now, took_s)
        self.sending += begun
        return begun

    def ends(self, domain, took_s, times=1):
        """Let a domain be known by how long its sends take; one is still under way."""
        self.come(domain)
        for _ in range(times):
            self.come(domain)
            self.end(domain, took_s)


def test_a_domain_that_nobody_came_back_from_has_one_connection():
    mails = Mails()
    mails.come(*["hangs"] * 100)
    assert mails.sending == ["hangs"]
    assert mails.come("other") == [Place.START]


def test_seven_domains_that_hang_leave_a_connection_to_the_others():
    mails = Mails()
    mails.come(*[f"hangs-{n % 7}" for n in range(140)])
    for n in range(50):
        mails.come(f"other-{n}")
    for n in range(50):
        assert mails.end(f"other-{n}") == ([f"other-{n + 1}"] if n < 49 else [])
    assert len(mails.sending) == 7


def test_a_quick_domain_has_all_connections_but_one():
    mails = Mails()
    mails.come(*["quick"] * 40)
    mails.end("quick")
    assert mails.sending == ["quick"] * 7


def test_a_slow_domain_has_half_of_the_connections():
    mails = Mails()
    mails.come(*["slow"] * 40)
    mails.end("slow", SLOW)
    assert mails.sending == ["slow"] * 4


def test_a_quick_domain_that_hangs_gets_no_more():
    mails = Mails()
    mails.come(*["was-quick"] * 20)
    mails.end("was-quick")
    mails.now += SLOW_S * 1.5
    mails.end("was-quick", SLOW)
    mails.come(*["other"] * 2)
    mails.end("other")
    assert mails.sending.count("was-quick") == 6
    assert mails.sending.count("other") == 1


def test_slow_domains_in_sum_leave_a_quarter_of_the_connections():
    mails = Mails()
    slow = [f"slow-{n}" for n in range(6)]
    for domain in slow:
        mails.come(*[domain] * 10)
    for domain in slow:
        mails.end(domain, SLOW)
    for _ in range(200):
        domain = random.Random(_).choice(mails.sending)
        mails.end(domain, SLOW)
        if mails.places._servers[SERVER].slow(mails.now) <= 6:
            break
    assert len(mails.sending) <= 6
    assert mails.come("other", "another") == [Place.START] * 2


def test_a_slow_domain_is_known_again_when_it_had_held_nothing():
    mails = Mails()
    mails.come("slow")
    mails.end("slow", SLOW)
    assert not mails.places._known
    mails.come(*["slow"] * 10)
    assert mails.sending == ["slow"] * 4


def test_of_thousands_of_domains_those_that_hold_something_are_known_and_some_slow_ones():
    mails = Mails()
    for n in range(5000):
        mails.come(f"domain-{n}")
        mails.end(f"domain-{n}", SLOW if n % 2 else QUICK_S)
    assert not mails.places._known
    assert not mails.places._servers[SERVER].behind
    assert not mails.places._servers[SERVER].turns
    assert len(mails.places._slow) == SLOW_KNOWN_MAX


def test_domains_in_line_have_their_turns_one_after_another():
    mails = Mails(at_once=1)
    mails.come("a", "a", "a", "b", "b", "c")
    begun = []
    while mails.sending:
        begun += mails.end(mails.sending[0])
    assert begun == ["a", "b", "c", "a", "b"]


def test_a_domain_may_hold_as_many_slots_as_it_leaves_free():
    mails = Mails(slots=64)
    mails.come("one")  # the server answers, so that its share is the whole one
    mails.end("one")
    mails.come("big")
    mails.now += QUICK_S
    mails.come(*["big"] * 63)
    mails.now += SLOW
    list(mails.places.overdue(mails.now))
    big = mails.places._known["big"]
    assert big.held == 16  # half of the half that a silent server may hold
    mails.come(*["next"] * 30)
    mails.now += SLOW
    list(mails.places.overdue(mails.now))
    server = mails.places._servers[SERVER]
    assert server.held <= 32 - 8
    assert server.held == sum(domain.held for domain in server.behind.values())


def test_the_longer_the_line_before_a_domain_the_later_it_comes_back():
    mails = Mails(slots=16)
    mails.come(*["slow"] * 16)
    mails.now += SLOW
    gone = [name for name, _ in mails.places.overdue(mails.now)]
    delays = [mails.places.park_s(name, mails.now) for name in gone * 10]
    assert delays == sorted(delays)
    assert delays[-1] == PARKED_MAX_S


def test_clearing_the_lines_lets_nobody_start():
    mails = Mails(at_once=1)
    mails.come("a", "a", "b")
    assert sorted(mails.places.clear_queues()) == ["a", "b"]
    assert mails.end("a") == []
    assert not mails.places._known
    assert mails.places._servers[SERVER].held == 0


@pytest.mark.parametrize("slots", [1, 2, 3, 8, 256])
@pytest.mark.parametrize("at_once", [1, 2, 3, 8])
@pytest.mark.parametrize("seed", range(10))
def test_whatever_comes_and_goes_the_limits_hold_and_nobody_is_forgotten(slots, at_once, seed):
    mails, chance = Mails(slots, at_once), random.Random(seed)
    waiting, domains = 0, [f"domain-{n}" for n in range(chance.choice([1, 3, 40]))]
    for _ in range(1000):
        mails.now += chance.choice([0.0, 0.01, 2.0])
        room = slots - waiting - len(mails.sending)
        if chance.random() < 0.5 and room:
            waiting += mails.enter(chance.choice(domains)) is Place.QUEUE
        elif mails.sending:
            took_s = chance.choice([None, QUICK_S, SLOW])
            waiting -= len(mails.end(chance.choice(mails.sending), took_s))
        waiting -= len(list(mails.places.overdue(mails.now)))
        assert len(mails.sending) <= at_once
        assert not waiting or mails.sending
        assert mails.places._queued == waiting
        for server in mails.places._servers.values():
            assert server.active == len(mails.sending)
            assert server.held == waiting + len(mails.sending)
    while mails.sending:
        mails.end(mails.sending[0])
    assert not mails.places._known


def parked_within(mails, seconds, took_s):
    """Let mails to 1,000 domains wait for a server that takes so long; count how often one parks.

    Each domain has a line of its own, with one mail in it: the server's is the long one.
    """
    parked, back = 0, {f"domain-{n}": 0.0 for n in range(1000)}
    ends_at = took_s
    while mails.now < seconds:
        mails.now += 0.01
        if mails.now >= ends_at:
            mails.end(mails.sending[0], took_s)
            ends_at += took_s / AT_ONCE
        for domain in [domain for domain, at in back.items() if at <= mails.now]:
            del back[domain]
            assert mails.enter(domain) is not Place.NONE
        for domain, _ in mails.places.overdue(mails.now):
            back[domain] = mails.now + mails.places.park_s(domain, mails.now)
            parked += 1
    return parked


@pytest.mark.parametrize("took_s", [1.0, 1000.0])
def test_what_waits_for_the_server_is_not_claimed_again_and_again(took_s):
    assert parked_within(Mails(), 20.0, took_s) < 3000
