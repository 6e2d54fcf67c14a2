"""Faults of Redis, and of the way to it."""

from collections.abc import Iterator
from contextlib import suppress
from random import Random

import redis

from load.chaos.faults.frozen import frozen, unreachable
from load.chaos.stand import Stand


def kill_redis(stand: Stand, random: Random) -> Iterator[float]:
    """SIGKILL Redis; it comes back empty."""
    stand.servers.kill_redis()
    yield random.uniform(0.5, 6)
    stand.servers.start_redis()


def flush_redis(stand: Stand, random: Random) -> Iterator[float]:
    """FLUSHALL, a few times."""
    for _ in range(3):
        with stand.servers.redis() as client:
            client.flushall()
        yield random.uniform(0.1, 1)


def pause_redis(stand: Stand, random: Random) -> Iterator[float]:
    """CLIENT PAUSE: connections stay, and nobody is answered."""
    pause_s = random.uniform(3, 6)
    with stand.servers.redis() as client:
        client.client_pause(int(pause_s * 1000))
    yield pause_s


def fill_redis(stand: Stand, random: Random) -> Iterator[float]:
    """Redis has no memory left for a write."""
    with stand.servers.redis() as client:
        before = client.config_get("maxmemory")["maxmemory"]
        client.config_set("maxmemory", "1")
    yield random.uniform(3, 6)
    with suppress(redis.RedisError), stand.servers.redis() as client:
        client.config_set("maxmemory", before)


def freeze_redis(stand: Stand, random: Random) -> Iterator[float]:
    """Redis accepts connections, and not a byte moves."""
    yield from frozen(stand.redis_link.ask, random)


def unreachable_redis(stand: Stand, random: Random) -> Iterator[float]:
    """No packet comes through to Redis."""
    yield from unreachable(stand.redis_link.ask, random)
