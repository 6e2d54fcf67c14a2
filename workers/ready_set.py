"""The workers' end of the ready set: pop.

A sorted set per priority; a member is the 16 bytes of an id, its score the due_at as epoch ms. The
dispatcher offers, in service/ready_set.py. Whatever else somebody puts there is dropped here.
"""

from contextlib import suppress
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from service.errors import RedisAway
from service.keys import Keys

FAIR_EVERY = 8  # each 8th pop begins at the bulk lane, so that nothing starves
BLOCK_MAX_S = 1.0


class ReadySet:
    """One connection of one thread."""

    def __init__(self, url: str) -> None:
        # No retries: a pop that is sent again, because its answer was lost, loses a second batch.
        self.redis = redis.Redis.from_url(
            url,
            retry=Retry(NoBackoff(), 0),
            socket_connect_timeout=1.0,
            socket_timeout=BLOCK_MAX_S + 3,
            client_name="notify-work",
        )
        self.lanes: list[str] = []  # keys, urgent first; `use` names them
        self.epoch = ""
        self.pops = 0
        self.dropped = 0  # members of the last pop that are no ids of ours

    def use(self, ledger: str) -> None:
        """Take from the ready set of this ledger from now on."""
        keys = Keys(ledger)
        self.lanes, self.epoch = list(keys.lanes.values()), keys.epoch

    def pop(self, limit: int, block_s: float) -> list[str]:
        """Take up to `limit` ids of one lane, waiting `block_s` for the first. Raises RedisAway."""
        self.pops += 1
        self.dropped = 0
        keys = self.lanes if self.pops % FAIR_EVERY else self.lanes[::-1]
        try:
            found: Any = self.redis.bzmpop(
                min(block_s, BLOCK_MAX_S), len(keys), keys, min=True, count=limit
            )
        except (redis.RedisError, OSError) as error:
            raise RedisAway(str(error)) from error
        if not found:
            return []
        ids = [pair[0].hex() for pair in found[1] if is_id(pair[0])]
        self.dropped = len(found[1]) - len(ids)
        return ids

    def is_offered_to(self) -> bool:
        """Say whether a dispatcher offers here, or did within the last minute. Raises RedisAway."""
        try:
            return self.redis.get(self.epoch) is not None
        except (redis.RedisError, OSError) as error:
            raise RedisAway(str(error)) from error

    def close(self) -> None:
        """Close the connection."""
        with suppress(redis.RedisError, OSError):
            self.redis.close()


def is_id(member: bytes) -> bool:
    """Say whether it can be an id: the 16 bytes of a UUID of version 7, as the ledger demands."""
    return len(member) == 16 and member[6] >> 4 == 7
