"""A limit of a key: a burst, then the rate, by a clock that the test moves."""

import math

import pytest

from service.access.allowance import Allowance


class Now:
    """A clock."""

    def __init__(self):
        self.at = 100.0

    def __call__(self):
        return self.at


def taken(allowance, tries):
    return sum(allowance.take() for _ in range(tries))


def test_a_burst_passes_at_once_and_then_the_rate():
    now = Now()
    allowance = Allowance(10, 20, now)
    assert taken(allowance, 100) == 20
    now.at += 1
    assert taken(allowance, 100) == 10
    now.at += 3600
    assert taken(allowance, 100) == 20


def test_without_a_burst_it_is_what_a_second_brings():
    assert taken(Allowance(2.5, None, Now()), 100) == 3
    assert taken(Allowance(0.1, None, Now()), 100) == 1


def test_the_wait_that_is_told_is_enough_and_no_longer_than_needed():
    now = Now()
    allowance = Allowance(0.5, 1, now)
    assert allowance.take()
    assert not allowance.take()
    assert allowance.wait_s() == 2
    now.at += 1.9
    assert not allowance.take()
    now.at += 0.2
    assert allowance.take()


def test_what_a_batch_owes_is_waited_for():
    now = Now()
    allowance = Allowance(100, 100, now)
    assert allowance.take()
    allowance.owe(999)
    assert not allowance.take()
    assert allowance.wait_s() == 10
    now.at += 9.5
    assert allowance.take()


def test_what_is_given_back_is_what_was_owed_and_never_more_than_a_burst():
    now = Now()
    allowance = Allowance(1, 10, now)
    assert allowance.take()
    allowance.owe(99)
    allowance.give_back(99)
    assert taken(allowance, 100) == 9
    allowance.owe(5)
    now.at += 3600
    assert allowance.take()
    allowance.give_back(5)
    assert taken(allowance, 100) == 10
    allowance.give_back(50)
    assert allowance.fields()["RateLimit"] == '"key";r=10'


def test_a_client_is_told_where_it_stands():
    now = Now()
    allowance = Allowance(2, 10, now)
    assert allowance.take()
    assert allowance.fields() == {
        "RateLimit-Policy": '"key";q=10;w=5', "RateLimit": '"key";r=9'
    }  # fmt: skip
    assert taken(allowance, 9) == 9
    assert allowance.fields()["RateLimit"] == '"key";r=0;t=1'


@pytest.mark.parametrize("rate", [0, -1, math.nan, -math.inf])
def test_a_rate_that_a_hand_wrote_wrongly_is_a_slow_one(rate):
    allowance = Allowance(rate, None, Now())
    assert taken(allowance, 10) == 1
    assert allowance.wait_s() > 60
    assert allowance.fields()


def test_an_endless_rate_limits_nothing():
    now = Now()
    allowance = Allowance(math.inf, None, now)
    assert taken(allowance, 1000) == 1000
    assert allowance.fields()
