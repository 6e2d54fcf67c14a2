"""The offering side of the ready set: ids that workers should claim soon. They are only hints."""

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from service import redis_answers
from service.dispatch.offers import WINDOW_MAX
from service.dispatch.redis_pool import packed_pool
from service.errors import RedisAway
from service.keys import Keys
from service.logs.seldom import Seldom
from service.model.words import LANES
from service.redis_answers import NotOfRedis, translated

CARD_MAX = 2 * WINDOW_MAX  # not even two leaders add more: a larger set is not ours
EPOCH_S = 60  # the leader renews it: where it is missing, nobody offers
LANES_S = 86_400  # the leader renews it: what a deleted ledger leaves behind expires
PROBE_S = 10
RIVALS_MIN = 3  # a former leader may overwrite our epoch once or twice before it stops

T = TypeVar("T")
Step = tuple[tuple[Any, ...], Callable[[Any], object]]  # a command, and who reads its answer


class ReadySet:
    """The keys in Redis. Every method may raise RedisAway; the library retries nothing: we do."""

    def __init__(self, url: str) -> None:
        pool = packed_pool(
            url,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=2,
            socket_connect_timeout=2,
            client_name="notify-disp",
        )
        self._redis = Redis.from_pool(pool)
        self.keys: Keys | None = None
        self._epoch = os.urandom(16)
        self._refused = False  # whether the last write was; a server that only reads counts as away
        self._deleted = Seldom("foreign_keys_deleted")
        self._overwritten = 0  # how often another leader's epoch replaced ours
        self._rival = Seldom("another_leader_offers_here")

    def use(self, ledger: str | None) -> None:
        """Offer the ids of this ledger from now on; None: it is not known yet which one."""
        self.keys = None if ledger is None else Keys(ledger)
        self._overwritten = -1  # the first foreign epoch is the former leader's: ignore it

    async def survey(self) -> tuple[bool, dict[int, int]]:
        """Return whether the sets are still as we left them, and how many ids each lane holds.

        If they are not (a flush, an empty restart, another leader, a key of another type, more ids
        than we would add), they are ours from now on.
        """
        keys = self._known()
        epochs: list[Any] = [self._epoch]
        pipe = self._redis.pipeline(transaction=False)
        pipe.zmscore(keys.leader, epochs)
        for key in (keys.leader, *keys.lanes.values()):
            pipe.zcard(key)
        we_lead, another_leads, counted = await self._ask(
            pipe.execute(raise_on_error=False), surveyed
        )
        cards = dict(zip(LANES, counted, strict=True))
        foreign = [keys.lanes[lane] for lane, card in cards.items() if card is None]
        if foreign:
            await self._ask(self._redis.unlink(*foreign), redis_answers.count)
            self._deleted.happened(keys=", ".join(foreign))
        ours = we_lead and not another_leads and not foreign
        if not ours or self._refused:
            await self._sign()
        self._see_rival(another_leads)
        return ours, {lane: card or 0 for lane, card in cards.items()}

    async def _sign(self) -> None:
        """Put our epoch in the place of whatever is there."""
        key = self._known().leader
        pipe = self._redis.pipeline(transaction=False)
        pipe.unlink(key)
        pipe.zadd(key, {self._epoch: 0})
        pipe.expire(key, EPOCH_S)
        await self._ask(pipe.execute(), signed)

    async def add(self, lanes: dict[int, dict[bytes, float]]) -> int:
        """Add ids with their due_at (epoch ms); returns how many were not there yet."""
        keys = self._known()
        pipe = self._redis.pipeline(transaction=False)
        for lane, ids in lanes.items():
            if ids:
                pipe.zadd(keys.lanes[lane], ids)
        self._refused = True
        added = await self._ask(pipe.execute(), total)
        self._refused = False
        return added

    async def gone(self, lanes: dict[int, dict[bytes, float]]) -> dict[int, set[bytes]]:
        """Say which of these ids are not there, or are there with a later due_at."""
        keys = self._known()
        asked = {lane: ids for lane, ids in lanes.items() if ids}
        pipe = self._redis.pipeline(transaction=False)
        for lane, ids in asked.items():
            members: list[Any] = list(ids)
            pipe.zmscore(keys.lanes[lane], members)
        lengths = [len(ids) for ids in asked.values()]
        answers = await self._ask(pipe.execute(), partial(scores_of, lengths))
        gone: dict[int, set[bytes]] = {lane: set() for lane in lanes}
        for lane, scores in zip(asked, answers, strict=True):
            pairs = zip(asked[lane].items(), scores, strict=True)
            gone[lane] = {id for (id, due), score in pairs if score is None or score > due}
        return gone

    async def probe(self) -> None:
        """Do all that the road does, on a key of its own. Raises RedisAway with what is refused.

        An answer to INFO proves little: the server may be a replica or a cluster or out of memory,
        our user may lack rights, and commands may be renamed.
        """
        key = self._known().probe
        steps: tuple[Step, ...] = (
            (("UNLINK", key), redis_answers.count),
            (("ZADD", key, 0, b"0"), redis_answers.count),
            (("EXPIRE", key, PROBE_S), redis_answers.yes_or_no),
            (("ZCARD", key), redis_answers.count),
            (("ZMSCORE", key, b"0"), partial(redis_answers.scores, length=1)),
            (("BZMPOP", 0.001, 1, key, "MIN", "COUNT", 1), redis_answers.popped),
        )
        pipe = self._redis.pipeline(transaction=False)
        for command, _ in steps:
            pipe.execute_command(*command)
        await self._ask(pipe.execute(raise_on_error=False), partial(probed, steps))

    async def keep(self) -> None:
        """Renew the lifetime of our keys; without a leader they expire."""
        keys = self._known()
        pipe = self._redis.pipeline(transaction=False)
        pipe.expire(keys.leader, EPOCH_S)
        for key in keys.lanes.values():
            pipe.expire(key, LANES_S)
        await self._ask(pipe.execute(), renewed)

    async def is_offered_to(self) -> bool:
        """Return whether a dispatcher offers here."""
        asking = self._redis.zcard(self._known().leader)
        return await self._ask(asking, redis_answers.count) > 0

    async def memory(self) -> tuple[int, int]:
        """Return how many bytes the server uses, and how many it may use (0: there is no limit)."""
        info = await self._ask(self._redis.info("memory"), redis_answers.figures)
        used, limit = info.get("used_memory"), info.get("maxmemory", 0)
        return redis_answers.count(used), redis_answers.count(limit)

    async def checkup(self) -> tuple[str, str]:
        """Return the server's version and maxmemory-policy; '' for what it does not say."""
        version = policy = ""
        with suppress(RedisAway):  # managed servers forbid CONFIG, and some users INFO
            info = await self._ask(self._redis.info("server"), redis_answers.figures)
            version = str(info.get("redis_version", ""))
            asking = self._redis.config_get("maxmemory-policy")
            settings = await self._ask(asking, redis_answers.figures)
            policy = str(settings.get("maxmemory-policy") or "")
        return version, policy

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def _ask(self, asking: Awaitable[Any], read: Callable[[Any], T]) -> T:
        """Wait for an answer of redis-py, and read it."""
        try:
            with translated():
                answer = await asking
            return read(answer)
        except NotOfRedis:
            with suppress(RedisError, OSError):
                await self._redis.connection_pool.disconnect()
            raise

    def _known(self) -> Keys:
        assert self.keys is not None, "use() comes first"
        return self.keys

    def _see_rival(self, another_leads: bool) -> None:
        """Warn if another leader uses the same keys: there are two copies of one ledger."""
        if another_leads:
            self._overwritten += 1
            if self._overwritten >= RIVALS_MIN:
                self._rival.happened(hint="RUNBOOK: Restore PostgreSQL")


def surveyed(answers: list[Any]) -> tuple[bool, bool, list[int | None]]:
    """Read whether our epoch is there, and whether something else is in its place; then each card.

    The answers are those of ZMSCORE and ZCARD of the leader's key, and of ZCARD of each lane.
    """
    score, epochs, *cards = answers
    counted = [*map(own_card, cards)]
    if is_of_another_type(score):
        return False, True, counted
    we_lead = redis_answers.scores(score, 1) != [None]
    return we_lead, redis_answers.count(epochs) > we_lead, counted


def signed(answers: list[Any]) -> None:
    """Read the answers to UNLINK, ZADD and EXPIRE."""
    unlinked, added, expires = answers
    redis_answers.count(unlinked)
    redis_answers.count(added)
    redis_answers.yes_or_no(expires)


def own_card(answer: Any) -> int | None:
    """Read the answer to ZCARD; None: we did not make this key."""
    if is_of_another_type(answer):
        return None
    card = redis_answers.count(answer)
    return card if card <= CARD_MAX else None


def is_of_another_type(answer: Any) -> bool:
    """Return whether the key is of another type than the command is for."""
    return isinstance(answer, ResponseError) and "WRONGTYPE" in str(answer)


def total(answers: list[Any]) -> int:
    """Read how many each ZADD added, and sum it up."""
    return sum(map(redis_answers.count, answers))


def scores_of(lengths: list[int], answers: list[Any]) -> list[list[float | None]]:
    """Read the answers to several ZMSCORE."""
    return [*map(redis_answers.scores, answers, lengths)]


def renewed(answers: list[Any]) -> list[bool]:
    """Read the answers to several EXPIRE."""
    return [*map(redis_answers.yes_or_no, answers)]


def probed(steps: tuple[Step, ...], answers: list[Any]) -> None:
    """Read what the probe's steps were answered. Raises RedisAway with the first refusal."""
    for ((verb, *_), read), answer in zip(steps, answers, strict=True):
        if isinstance(answer, Exception):
            kind = getattr(answer, "status_code", None)  # the library cuts it off the text
            reason = f"{kind} {answer}" if kind else str(answer)
            raise RedisAway(f"{verb} is refused: {reason}") from answer
        read(answer)
