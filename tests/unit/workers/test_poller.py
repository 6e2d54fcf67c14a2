"""What is ready, by epoll and by the standard library: both say the same."""

import os
import select
import socket
import time
from contextlib import suppress

import pytest

from workers.poller import BOTH, READ, WRITE, EpollPoller, SelectorPoller

KINDS = [SelectorPoller, *([EpollPoller] if hasattr(select, "epoll") else [])]


@pytest.fixture(params=KINDS)
def poller(request):
    made = request.param()
    yield made
    made.close()


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.mark.parametrize(
    ("events", "idle", "spoken_to"),
    [(READ, 0, READ), (WRITE, WRITE, WRITE), (BOTH, WRITE, BOTH)],
)
def test_a_socket_is_ready_for_what_it_is_waited_for(poller, pair, events, idle, spoken_to):
    ours, theirs = pair
    poller.register(ours.fileno(), events)
    assert poller.select(0.0) == ([(ours.fileno(), idle)] if idle else [])
    theirs.send(b"!")
    assert poller.select(1.0) == [(ours.fileno(), spoken_to)]


@pytest.mark.parametrize("events", [READ, WRITE, BOTH])
def test_one_whose_other_side_is_gone_is_ready_for_all_that_it_is_waited_for(poller, pair, events):
    ours, theirs = pair
    poller.register(ours.fileno(), events)
    theirs.close()
    assert poller.select(1.0) == [(ours.fileno(), events)]


@pytest.mark.parametrize("events", [READ, WRITE, BOTH])
def test_one_that_has_failed_is_ready_for_all_that_it_is_waited_for(poller, events):
    with socket.socket() as refused:
        refused.setblocking(False)
        refused.connect_ex(("127.0.0.1", 9))
        poller.register(refused.fileno(), events)
        assert poller.select(1.0) == [(refused.fileno(), events)]


def test_what_is_waited_for_may_change(poller, pair):
    ours, theirs = pair
    theirs.send(b"!")
    poller.register(ours.fileno(), READ)
    poller.modify(ours.fileno(), WRITE)
    assert poller.select(0.0) == [(ours.fileno(), WRITE)]
    poller.modify(ours.fileno(), BOTH)
    assert poller.select(0.0) == [(ours.fileno(), BOTH)]


def test_what_is_not_waited_for_any_more_is_not_ready(poller, pair):
    ours, _ = pair
    poller.register(ours.fileno(), WRITE)
    poller.unregister(ours.fileno())
    assert poller.select(0.0) == []


def test_a_descriptor_that_was_closed_can_be_let_go_and_its_number_used_again(poller, pair):
    ours, theirs = pair
    fd = ours.fileno()
    poller.register(fd, READ)
    ours.close()
    poller.unregister(fd)
    os.dup2(theirs.fileno(), fd)
    poller.register(fd, WRITE)
    assert poller.select(0.0) == [(fd, WRITE)]
    os.close(fd)


def test_a_closed_one_that_somebody_has_a_duplicate_of_says_nothing_more(poller, pair):
    ours, theirs = pair
    fd = ours.fileno()
    duplicate = ours.dup()
    poller.register(fd, READ)
    ours.close()
    poller.unregister(fd)
    theirs.send(b"!")
    with duplicate:
        assert poller.select(0.0) == []


def test_all_that_are_ready_are_named_at_once(poller):
    pairs = [socket.socketpair() for _ in range(50)]
    for ours, _ in pairs:
        poller.register(ours.fileno(), WRITE)
    assert sorted(poller.select(0.0)) == sorted((ours.fileno(), WRITE) for ours, _ in pairs)
    for ours, theirs in pairs:
        ours.close()
        theirs.close()


def test_nothing_at_all_may_be_waited_for(poller):
    assert poller.select(0.0) == []


@pytest.mark.parametrize("timeout_s", [0.0001, 0.0015])
def test_a_wait_is_no_shorter_than_was_asked_for(poller, timeout_s):
    began = time.monotonic()
    poller.select(timeout_s)
    assert time.monotonic() - began >= timeout_s


def test_a_time_that_has_passed_is_no_wait(poller):
    began = time.monotonic()
    poller.select(-1.0)
    assert time.monotonic() - began < 1.0


def test_one_that_was_closed_before_it_is_waited_for_otherwise_can_be_given_up(poller):
    ours, theirs = socket.socketpair()
    with theirs:
        fd = ours.fileno()
        poller.register(fd, BOTH)
        ours.close()
        with suppress(OSError):
            poller.modify(fd, READ)
        poller.unregister(fd)
