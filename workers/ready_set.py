"""The workers' end of the ready set: pop.

A sorted set per priority; a member is the 16 bytes of an id, its score the due_at as epoch ms. The
dispatcher offers, in service/dispatch/ready_set.py. Whatever else somebody puts there is dropped.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from service import redis_answers
from service.keys import Keys
from service.redis_answers import NotOfRedis, translated
from workers.redis_pool import pool_beside

FAIR_EVERY = 8  # each 8th pop begins at the bulk lane, so that nothing starves
BLOCK_MAX_S = 1.0

T = TypeVar("T")


class ReadySet:
    """One connection of one thread."""

    def __init__(self, url: str) -> None:
        # No retries: a pop that is sent again, because its answer was lost, loses a second batch.
        self._pool = pool_beside(
            url,
            retry=Retry(NoBackoff(), 0),
            socket_connect_timeout=1.0,
            socket_timeout=BLOCK_MAX_S + 1,
            client_name="notify-work",
            protocol=2,  # or redis-py would spell each score of BZMPOP anew
        )
        self._redis = redis.Redis(connection_pool=self._pool)
        self._lanes: list[str] = []  # keys, urgent first; `use` names them
        self._leader = ""  # key
        self._pops = 0
        self.dropped = 0  # members of the last pop that are no ids of ours
        self.is_urgent = False  # whether the last pop was of the first lane

    def use(self, ledger: str) -> None:
        """Take from the ready set of this ledger from now on."""
        keys = Keys(ledger)
        self._lanes, self._leader = list(keys.lanes.values()), keys.leader

    def pop(self, limit: int, block_s: float) -> list[str]:
        """Take up to `limit` ids of one lane, waiting `block_s` for the first. Raises RedisAway."""
        self._pops += 1
        self.dropped, self.is_urgent = 0, False
        keys = self._lanes if self._pops % FAIR_EVERY else self._lanes[::-1]
        wait_s = min(block_s, BLOCK_MAX_S)
        key, members = self._ask(
            lambda: self._redis.bzmpop(wait_s, len(keys), keys, min=True, count=limit),
            redis_answers.popped,
        )
        self.is_urgent = key == self._lanes[0].encode()
        ids = [member.hex() for member in members if is_id(member)]
        self.dropped = len(members) - len(ids)
        return ids

    def is_offered_to(self) -> bool:
        """Return whether a dispatcher has offered here in the last minute. Raises RedisAway."""
        return self._ask(lambda: self._redis.zcard(self._leader), redis_answers.count) > 0

    def close(self) -> None:
        """Close the connection."""
        with suppress(redis.RedisError, OSError):
            self._pool.disconnect()

    def _ask(self, ask: Callable[[], Any], read: Callable[[Any], T]) -> T:
        """Ask redis-py, and read the answer."""
        try:
            with translated():
                answer = ask()
            return read(answer)
        except NotOfRedis:
            self.close()  # the next command opens it anew
            raise


def is_id(member: bytes) -> bool:
    """Return whether a member can be an id: the 16 bytes of a UUID of version 7."""
    return len(member) == 16 and member[6] >> 4 == 7
