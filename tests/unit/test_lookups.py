"""Looking names up: bounded, one call for a name, and those that were slow among themselves."""

import threading
import time
from queue import SimpleQueue

import pytest

from service import lookups as module
from service.lookups import Lookups, addresses
from tests.waiting import wait_for


def call(name):
    return (name, None)


def test_who_asks_while_a_name_is_looked_up_joins(resolver):
    lookups, told = Lookups(), SimpleQueue()
    for _ in range(10):
        assert lookups.start(call("a.dead.test"), told.put)
    wait_for(lambda: resolver.asked)
    resolver.release.set()
    found = [told.get(timeout=10) for _ in range(10)]
    assert resolver.asked == {"a.dead.test": 1}
    assert addresses(found[0]) == ("127.0.0.1",)


def test_what_is_raised_is_told(resolver):
    with pytest.raises(OSError, match="not known"):
        Lookups().wait(call("a.gone.test"), 10)
    with pytest.raises(UnicodeError):
        Lookups().wait(call("a" * 64), 10)


@pytest.mark.usefixtures("resolver")
def test_who_waits_does_so_for_as_long_as_it_says():
    with pytest.raises(OSError, match="does not answer"):
        Lookups().wait(call("a.dead.test"), 0.01)


def test_threads_are_bounded_and_all_are_looked_up_in_the_end(resolver, monkeypatch):
    monkeypatch.setattr(module, "THREADS_MAX", 4)
    lookups, told = Lookups(), SimpleQueue()
    for number in range(20):
        lookups.start(call(f"{number}.dead.test"), told.put)
    wait_for(lambda: len(resolver.asked) == 4)
    assert lookups.threads == 4
    resolver.release.set()
    for _ in range(20):
        told.get(timeout=10)
    wait_for(lambda: lookups.threads == 0)
    assert not lookups.wanted


def test_names_that_were_slow_leave_threads_to_the_others(resolver, monkeypatch):
    monkeypatch.setattr(module, "THREADS_MAX", 4)
    monkeypatch.setattr(module, "SLOW_THREADS_MAX", 2)
    lookups, told = Lookups(), SimpleQueue()
    lookups.were_slow.update({f"{number}.dead.test": None for number in range(20)})
    for number in range(20):
        lookups.start(call(f"{number}.dead.test"), lambda _: None)
    wait_for(lambda: len(resolver.asked) == 2)
    lookups.start(call("a.test"), told.put)
    assert addresses(told.get(timeout=10)) == ("127.0.0.1",)
    assert len(resolver.asked) == 3
    resolver.release.set()
    wait_for(lambda: not lookups.wanted)
    assert len(resolver.asked) == 21
    assert (lookups.threads, lookups.slow_threads) == (0, 0)


@pytest.mark.usefixtures("resolver")
def test_a_name_is_slow_until_it_is_quick(monkeypatch):
    lookups = Lookups()
    monkeypatch.setattr(module, "SLOW_S", -1.0)
    lookups.wait(call("a.test"), 10)
    assert "a.test" in lookups.were_slow
    monkeypatch.setattr(module, "SLOW_S", 60.0)
    lookups.wait(call("a.test"), 10)
    assert not lookups.were_slow


def test_what_is_wanted_is_bounded(resolver, monkeypatch):
    monkeypatch.setattr(module, "WANTED_MAX", 3)
    lookups = Lookups()
    begun = [lookups.start(call(f"{number}.dead.test"), lambda _: None) for number in range(5)]
    assert begun == [True, True, True, False, False]
    resolver.release.set()
    wait_for(lambda: not lookups.wanted)


@pytest.mark.usefixtures("resolver")
def test_a_system_without_a_thread_to_give_is_asked_again(monkeypatch):
    def none_left(_):
        raise RuntimeError("can't start new thread")

    lookups = Lookups()
    with monkeypatch.context() as short:
        short.setattr(threading.Thread, "start", none_left)
        assert not lookups.start(call("a.test"), lambda _: None)
    assert addresses(lookups.wait(call("a.test"), 10)) == ("127.0.0.1",)


def test_an_address_of_one_link_is_left_out():
    found = [(0, 0, 0, "", ("fe80::1%eth0", 0, 0, 2)), (0, 0, 0, "", ("::1", 0, 0, 0))] * 2
    assert addresses(found) == ("::1",)


def test_what_comes_late_is_there_for_who_asks_again(resolver):
    lookups = Lookups()
    with pytest.raises(OSError, match="does not answer"):
        lookups.wait(call("a.dead.test"), 0.01)
    resolver.release.set()
    wait_for(lambda: not lookups.wanted)
    assert addresses(lookups.wait(call("a.dead.test"), 10)) == ("127.0.0.1",)
    assert resolver.asked == {"a.dead.test": 1}
    assert not lookups.late


def test_what_came_long_ago_is_looked_up_anew(resolver):
    lookups = Lookups()
    with pytest.raises(OSError, match="does not answer"):
        lookups.wait(call("a.dead.test"), 0.01)
    resolver.release.set()
    wait_for(lambda: not lookups.wanted)
    _, found = lookups.late[call("a.dead.test")].get()
    lookups.late[call("a.dead.test")].put((time.monotonic() - 11, found))
    assert addresses(lookups.wait(call("a.dead.test"), 10)) == ("127.0.0.1",)
    assert resolver.asked == {"a.dead.test": 2}
