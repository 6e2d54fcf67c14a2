"""What time it is: the ledger's, unless it is the one that jumped."""

import pytest

from service.clock import Clock, since_boot

HOUR_S = 3600.0
MINUTE_S = 60.0


class World:
    """A process, its machine's clock and the ledger's, each as wrong as a test likes."""

    def __init__(self) -> None:
        self.true_s = 1_800_000_000.0
        self.own_off_s = self.ledger_off_s = 0.0
        self.clock = Clock(own=lambda: self.true_s + self.own_off_s, monotonic=lambda: self.true_s)

    def read(self, takes_s: float = 0.0) -> float:
        asked_at = self.true_s
        now_s = self.true_s + takes_s / 2 + self.ledger_off_s
        self.true_s += takes_s
        return self.clock.take_reading(now_s, asked_at)

    @property
    def wrong_by_s(self) -> float:
        return self.clock.now() - self.true_s


@pytest.fixture
def world():
    return World()


@pytest.mark.parametrize("off_s", [-30 * 86400, -HOUR_S, -6, 6, 301, HOUR_S, 10 * 365 * 86400])
def test_a_machine_whose_clock_was_never_right_takes_the_ledgers(world, off_s):
    world.own_off_s = off_s
    world.read()
    assert world.wrong_by_s == 0
    assert world.clock.skew_s() == off_s
    world.true_s += MINUTE_S
    assert world.wrong_by_s == 0


@pytest.mark.parametrize("off_s", [-HOUR_S, -6, 6, HOUR_S])
def test_a_machine_whose_clock_jumps_takes_the_ledgers_at_once(world, off_s):
    world.read()
    world.own_off_s = off_s
    assert world.wrong_by_s == 0


@pytest.mark.parametrize("off_s", [-HOUR_S, -6, 6, 2 * HOUR_S])
def test_when_the_ledgers_clock_jumps_a_right_one_is_kept_until_it_is_back(world, off_s):
    world.read()
    world.true_s += MINUTE_S
    world.ledger_off_s = off_s
    assert world.read() == pytest.approx(off_s)
    assert world.wrong_by_s == 0
    world.true_s += 10 * HOUR_S
    world.ledger_off_s = 0.0
    assert world.read() == pytest.approx(-off_s)
    assert world.wrong_by_s == 0


def test_a_machine_that_slept_believes_both_clocks_and_not_monotonic():
    slept_s = 0.0
    clock = Clock(own=lambda: 1000.0 + slept_s, monotonic=lambda: 5.0)
    clock.take_reading(1000.0, 5.0)
    slept_s = HOUR_S
    clock.take_reading(1000.0 + HOUR_S, 5.0)
    assert clock.now() == 1000.0 + HOUR_S


@pytest.mark.parametrize("off_s", [-HOUR_S, -6, 6, HOUR_S])
def test_a_clock_that_has_jumped_asks_for_one_more_reading(world, off_s):
    world.read()
    world.true_s += MINUTE_S
    assert not world.clock.has_moved()
    world.own_off_s = world.ledger_off_s = off_s
    assert world.clock.has_moved()
    world.read()
    assert not world.clock.has_moved()
    assert world.wrong_by_s == off_s


def test_after_a_jump_a_slow_reading_is_better_than_none(world):
    assert not world.clock.has_moved()
    world.read()
    world.own_off_s = world.ledger_off_s = HOUR_S
    world.read(takes_s=6.0)
    assert world.clock.has_moved()
    world.read(takes_s=4.0)
    assert not world.clock.has_moved()
    assert world.wrong_by_s == HOUR_S
    world.ledger_off_s = 0.0
    world.read(takes_s=4.0)
    assert world.wrong_by_s == HOUR_S, "without a jump of ours it waits for a quick one"


def test_a_clock_that_sleep_does_not_stop_needs_no_reading_after_it(world):
    world.read()
    world.true_s += 10 * HOUR_S
    assert not world.clock.has_moved()
    assert world.wrong_by_s == 0


def test_where_no_clock_counts_sleep_it_is_monotonic(monkeypatch):
    monkeypatch.setattr("service.clock.BOOT_CLOCK", None)
    monkeypatch.setattr("time.monotonic", lambda: 7.0)
    assert since_boot() == 7.0


def test_without_a_reading_the_time_is_this_machines(world):
    world.own_off_s = HOUR_S
    assert world.wrong_by_s == HOUR_S
    assert world.clock.skew_s() is None


def test_a_slow_answer_is_taken_only_where_there_is_no_other(world):
    world.own_off_s = HOUR_S
    world.read(takes_s=4.0)
    assert world.wrong_by_s == 0
    world.ledger_off_s = 2 * HOUR_S
    assert world.read(takes_s=4.0) == 0
    assert world.wrong_by_s == 0


def test_a_clock_that_runs_a_little_fast_is_no_jump(world):
    world.read()
    for drift_s in range(1, 50):
        world.true_s += MINUTE_S
        world.own_off_s = world.ledger_off_s = float(drift_s)
        assert world.read() == 0
    assert world.wrong_by_s == 49
