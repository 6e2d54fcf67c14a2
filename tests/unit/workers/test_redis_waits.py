"""How long the two ends of the ready set wait for Redis, whatever the URL says."""

import pytest

from service.dispatch.ready_set import ReadySet as OfferingEnd
from workers.ready_set import BLOCK_MAX_S, ReadySet

SAYS = "socket_timeout=0.3&socket_connect_timeout=60&protocol=3"
URLS = [f"redis://127.0.0.1:1/2?{SAYS}", f"redis+sentinel://127.0.0.1:1/main?db=2&{SAYS}"]


@pytest.mark.parametrize("url", URLS)
def test_a_pop_has_the_time_to_wait_for_an_id_and_no_more(url):
    says = ReadySet(url)._pool.connection_kwargs
    assert says["socket_timeout"] == BLOCK_MAX_S + 1
    assert (says["socket_connect_timeout"], says["protocol"], says["db"]) == (1.0, 2, 2)


@pytest.mark.parametrize("url", URLS)
def test_the_dispatchers_waits_are_its_own(url):
    says = OfferingEnd(url)._redis.connection_pool.connection_kwargs
    assert (says["socket_timeout"], says["socket_connect_timeout"], says["db"]) == (2, 2, 2)
