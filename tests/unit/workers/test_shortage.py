import errno

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
