"""Looking names up: bounded, one call for a name, and those that were slow among themselves."""

import threading
import time
from queue import SimpleQueue

import pytest

from service.names import lookups as module
from service.names.lookups import Lookups, addresses
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
    monkeypatch.setattr(module, "QUICK_MAX", 4)
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


def test_what_takes_long_leaves_its_place_to_others(resolver, monkeypatch):
    monkeypatch.setattr(module, "QUICK_MAX", 4)
    monkeypatch.setattr(module, "THREADS_MAX", 10)
    lookups, told = Lookups(), SimpleQueue()
    calls = [call(f"{number}.dead.test") for number in range(8)]
    for one in calls:
        lookups.start(one, lambda _: None)
    lookups.start(call("a.test"), told.put)
    wait_for(lambda: len(lookups.began) == 4)
    assert lookups.began_at(calls[7]) is None
    monkeypatch.setattr(module, "SLOW_S", 0.0)  # what runs has taken long now
    assert addresses(wait_for(lambda: lookups.began_at(calls[0]) and answer(told))) == (
        "127.0.0.1",
    )
    monkeypatch.setattr(module, "SLOW_S", 60.0)
    resolver.release.set()
    wait_for(lambda: lookups.threads == 0)
    assert (len(lookups.young), lookups.old, lookups.coming) == (0, 0, 0)
    assert not lookups.began


def answer(told):
    """Return what was told, if anything was."""
    return None if told.empty() else told.get()


def test_what_takes_long_is_bounded_as_well(resolver, monkeypatch):
    monkeypatch.setattr(module, "QUICK_MAX", 4)
    monkeypatch.setattr(module, "THREADS_MAX", 6)
    monkeypatch.setattr(module, "SLOW_S", 0.0)
    lookups = Lookups()
    for number in range(20):
        lookups.start(call(f"{number}.dead.test"), lambda _: None)
    wait_for(lambda: lookups.began_at(call("19.dead.test")) or len(lookups.began) == 6)
    assert lookups.threads == 6
    resolver.release.set()
    wait_for(lambda: not lookups.wanted)


def test_names_that_were_silent_leave_threads_to_the_others(resolver, monkeypatch):
    monkeypatch.setattr(module, "SILENT_MAX", 2)
    lookups, told = Lookups(), SimpleQueue()
    lookups.were_silent.update({f"{number}.dead.test": None for number in range(20)})
    for number in range(20):
        lookups.start(call(f"{number}.dead.test"), lambda _: None)
    wait_for(lambda: len(resolver.asked) == 2)
    lookups.start(call("a.test"), told.put)
    assert addresses(told.get(timeout=10)) == ("127.0.0.1",)
    assert len(resolver.asked) == 3
    resolver.release.set()
    wait_for(lambda: not lookups.wanted)
    assert len(resolver.asked) == 21
    wait_for(lambda: (lookups.threads, lookups.silent_running) == (0, 0))


def test_a_name_is_silent_until_it_is_found_or_quick(resolver, monkeypatch):
    lookups = Lookups()
    monkeypatch.setattr(module, "SLOW_S", -1.0)
    lookups.wait(call("a.test"), 10)
    assert not lookups.were_silent  # late, but found
    with pytest.raises(OSError, match="not known"):
        lookups.wait(call("a.gone.test"), 10)
    assert "a.gone.test" in lookups.were_silent
    monkeypatch.setattr(module, "SLOW_S", 60.0)
    with pytest.raises(OSError, match="not known"):
        lookups.wait(call("a.gone.test"), 10)
    assert not lookups.were_silent


def test_what_waits_is_bounded_and_silent_names_do_not_fill_it(resolver, monkeypatch):
    monkeypatch.setattr(module, "SILENT_WAITING_MAX", 3)
    monkeypatch.setattr(module, "SILENT_MAX", 0)
    lookups = Lookups()
    lookups.were_silent.update({f"{number}.dead.test": None for number in range(5)})
    begun = [lookups.start(call(f"{number}.dead.test"), lambda _: None) for number in range(5)]
    assert begun[3:] == [False, False]
    assert addresses(lookups.wait(call("a.test"), 10)) == ("127.0.0.1",)


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
    of_one_link = (0, 0, 0, "", ("fe80::1%eth0", 0, 0, 2))
    assert addresses([of_one_link, (0, 0, 0, "", ("::1", 0, 0, 0))] * 2) == ("::1",)


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
