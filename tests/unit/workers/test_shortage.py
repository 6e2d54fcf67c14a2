import errno
import socket

import pycurl
import pytest
from loguru import logger
from prometheus_client import CollectorRegistry

from service.metrics import WorkerMetrics
from workers.shortage import FORGET_S, Short, Shortages, short_of


class Easy:
    """A handle that failed with an errno."""

    def __init__(self, number):
        self.number = number

    def getinfo(self, what):
        assert what == pycurl.OS_ERRNO
        return self.number


@pytest.mark.parametrize(
    ("number", "short"),
    [
        (0, Short.DESCRIPTORS),
        (errno.EMFILE, Short.DESCRIPTORS),
        (errno.ENFILE, Short.DESCRIPTORS),
        (errno.ENOMEM, Short.MEMORY),
        (errno.ENOBUFS, Short.MEMORY),
        (errno.EADDRNOTAVAIL, Short.LOCAL_PORTS),
        (errno.ECONNREFUSED, None),
        (errno.ENETUNREACH, None),
        (errno.EHOSTUNREACH, None),
    ],
)
def test_an_errno_says_what_was_lacking(number, short):
    assert short_of(Easy(number), pycurl.E_COULDNT_CONNECT) is short


def test_a_name_that_is_not_found_is_no_shortage():
    assert short_of(Easy(0), pycurl.E_COULDNT_RESOLVE_HOST) is None


def test_a_shortage_is_told_once_while_it_lasts_and_counted_each_time():
    registry = CollectorRegistry()
    shortages, told = Shortages(WorkerMetrics(registry)), []
    sink = logger.add(told.append, format="{message} {extra[what]}")
    for now in (0.0, 1.0, FORGET_S, 3 * FORGET_S):
        shortages.met(Short.MEMORY, now)
    logger.remove(sink)
    assert told == ["shortage memory\n"] * 2
    assert registry.get_sample_value("worker_shortages_total", {"what": "memory"}) == 4


V4, V6 = (socket.AF_INET, ("192.0.2.1", 25)), (socket.AF_INET6, ("2001:db8::1", 25, 0, 0))


@pytest.fixture
def network(monkeypatch):
    """Say by family with which errno a socket cannot be made or connected; 0: it can."""
    errors: dict[int, int] = {}

    class Socket:
        def __init__(self, family, kind):
            assert kind == socket.SOCK_DGRAM
            self.family = family

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def connect(self, _place):
            if number := errors.get(self.family, 0):
                raise OSError(number, "")

    monkeypatch.setattr("workers.shortage.socket.socket", Socket)
    return errors


@pytest.mark.parametrize("number", [errno.EADDRNOTAVAIL, errno.ENETUNREACH, errno.EAFNOSUPPORT])
@pytest.mark.parametrize("said", [errno.EADDRNOTAVAIL, 0])
def test_an_address_to_which_this_host_has_no_way_is_no_shortage(network, number, said):
    network[socket.AF_INET6] = number
    assert short_of(Easy(said), pycurl.E_COULDNT_CONNECT, [V6]) is None
    assert short_of(Easy(said), pycurl.E_COULDNT_CONNECT, [V4, V6]) is not None


@pytest.mark.parametrize("number", [0, errno.EAGAIN, errno.EMFILE, errno.ENOMEM, errno.EACCES])
def test_a_shortage_stays_one_unless_it_is_sure_that_there_is_no_way(network, number):
    network[socket.AF_INET6] = number
    short = short_of(Easy(errno.EADDRNOTAVAIL), pycurl.E_COULDNT_CONNECT, [V6])
    assert short is Short.LOCAL_PORTS
