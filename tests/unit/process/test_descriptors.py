"""One budget of descriptors: `notify up` has the API, the worker and the inbox in one process."""

import resource

import pytest

from service.config.settings import Settings
from service.process.descriptors import RESERVE, SHARES, connections_max, share
from workers.runner import within_descriptors

MOST = 10**6


@pytest.fixture
def limited(monkeypatch):
    """Let the limit of open files be another."""
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    return lambda limit: monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))


@pytest.mark.parametrize("limit", [300, 1024, 4096, 65536, 10**6, resource.RLIM_INFINITY])
@pytest.mark.parametrize("threads", [1, 2, 64])
@pytest.mark.parametrize("wanted", [None, 65536])
def test_all_together_have_no_more_than_there_is(limited, limit, threads, wanted):
    limited(limit)
    worker = within_descriptors(Settings(num_threads=threads, sends_per_thread=4096))
    sends = worker.num_threads * worker.sends_per_thread
    others = sum(share(name, MOST) for name in SHARES if name not in ("api", "worker"))
    least = 2 * 2 * threads  # no thread has fewer than two sends, however low the limit is
    there_is = (limit if 0 < limit < 65536 else 65536) - RESERVE
    assert connections_max(wanted) + others + max(2 * sends - least, 0) <= there_is


def test_what_is_set_counts_as_far_as_there_are_descriptors(limited):
    limited(1024)
    assert connections_max(100) == 100
    assert connections_max(5000) == connections_max(None) == 300
    limited(65536)
    assert connections_max(None) == 2048
    assert connections_max(5000) == 5000
