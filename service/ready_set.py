"""The offering side of the ready set: ids that workers should claim soon. A hint, never the truth.

Redis keys, all under one hash tag:
    {notify}:ready:0 … 3   sorted set per priority; member: the id's 16 bytes; score: due_at, in ms
    {notify}:epoch         16 random bytes of the leader; gone or foreign: maybe a flush
The names are ours: what somebody else puts under them costs at most itself.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from service.errors import RedisAway
from service.model import LANES
from service.offers import WINDOW_MAX
from service.seldom import Seldom

LANE_KEYS = {lane: f"{{notify}}:ready:{lane}" for lane in LANES}
EPOCH_KEY = "{notify}:epoch"
CARD_MAX = 2 * WINDOW_MAX  # more is not from us, not even from two leaders


@contextmanager
def translated() -> Iterator[None]:
    """Turn Redis's errors, refused writes included, into RedisAway."""
    try:
        yield
    except (RedisError, OSError) as error:
        # A pipeline says the whole command first, with the ids as bytes.
        reason = str(error).rpartition(" of pipeline caused error: ")[2]
        raise RedisAway(reason or type(error).__name__) from error


def is_readable(url: str) -> bool:
    """Say whether the library can read a URL, each parameter too. Its errors quote what it cannot.

    It looks at most of them only when it makes a connection, which this does and does not open.
    """
    try:
        pool: Any = Redis.from_url(url).connection_pool
        pool.make_connection()
    except (ValueError, TypeError, RedisError):
        return False
    return True


class ReadySet:
    """Every verb may raise RedisAway; the library repeats none: that is our decision."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(
            url,
            socket_timeout=2,
            socket_connect_timeout=2,
            retry=Retry(NoBackoff(), 0),
            client_name="notify-disp",
        )
        self._epoch = os.urandom(16)
        self._refused = False  # the last write; a server that only reads is away for us
        self._deleted = Seldom("foreign_keys_deleted")

    async def survey(self) -> tuple[bool, dict[int, int]]:
        """Say whether the sets are still as we left them, and how many ids each lane holds.

        Not as we left them (a flush, an empty restart, another leader, a key of another type, more
        than we would add): from now on they are ours.
        """
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            pipe.get(EPOCH_KEY)
            for key in LANE_KEYS.values():
                pipe.zcard(key)
            epoch, *answers = await pipe.execute(raise_on_error=False)
            cards = dict(zip(LANES, map(own_card, answers), strict=True))
            foreign = [LANE_KEYS[lane] for lane, card in cards.items() if card is None]
            if foreign:
                await self._redis.unlink(*foreign)
                self._deleted.happened(keys=", ".join(foreign))
            ours = epoch == self._epoch and not foreign
            if not ours or self._refused:
                await self._redis.set(EPOCH_KEY, self._epoch)
        return ours, {lane: card or 0 for lane, card in cards.items()}

    async def add(self, lanes: dict[int, dict[bytes, float]]) -> int:
        """Add ids with their due_at (epoch ms); returns how many were not there yet."""
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            for lane, ids in lanes.items():
                if ids:
                    pipe.zadd(LANE_KEYS[lane], ids)
            self._refused = True
            added: int = sum(await pipe.execute())
            self._refused = False
        return added

    async def gone(self, lanes: dict[int, dict[bytes, float]]) -> dict[int, set[bytes]]:
        """Say which of these ids are not there, or wait behind their turn."""
        asked = {lane: ids for lane, ids in lanes.items() if ids}
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            for lane, ids in asked.items():
                members: list[Any] = list(ids)
                pipe.zmscore(LANE_KEYS[lane], members)
            answers = dict(zip(asked, await pipe.execute(), strict=True))
        gone: dict[int, set[bytes]] = {lane: set() for lane in lanes}
        for lane, scores in answers.items():
            pairs = zip(asked[lane].items(), scores, strict=True)
            gone[lane] = {id for (id, due), score in pairs if score is None or score > due}
        return gone

    async def memory(self) -> tuple[int, int]:
        """Say how many bytes the server uses, and how many it may (0: there is no limit)."""
        with translated():
            info = await self._redis.info("memory")
        return int(info["used_memory"]), int(info.get("maxmemory", 0))

    async def checkup(self) -> tuple[str, str]:
        """Give the server's version, and its maxmemory-policy ('' where it does not tell)."""
        with translated():
            info = await self._redis.info("server")
        try:
            policy = (await self._redis.config_get("maxmemory-policy")).get("maxmemory-policy", "")
        except RedisError:  # managed servers forbid CONFIG
            policy = ""
        return str(info["redis_version"]), policy or ""

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


def own_card(answer: Any) -> int | None:
    """Read a ZCARD; None: the key is not as we make it. Raises any other error."""
    if isinstance(answer, ResponseError) and "WRONGTYPE" in str(answer):
        return None
    if isinstance(answer, Exception):
        raise answer
    card = int(answer)
    return card if card <= CARD_MAX else None
