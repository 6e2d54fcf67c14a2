"""What Redis answers, read with care: REDIS_URL may name any server that speaks its protocol.

An answer that is not of the kind that was asked for counts as Redis being away.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis.exceptions import RedisError, ResponseError

from service.errors import RedisAway

LATE_S = 0.25  # an answer is late by more than this: PostgreSQL gives claims sooner
LATE_MIN = 3  # so many in a row count as away: fewer may be a pause of this machine
SLOW = "its answers take long"

# What redis-py raises where it cannot read an answer, in a handshake too, or has no room for it.
UNREADABLE = (AttributeError, LookupError, MemoryError, TypeError, ValueError)


class LateAnswers:
    """Counts answers in a row that came late: so many that Redis is no use."""

    def __init__(self) -> None:
        self._count = 0

    def note(self, over_s: float, *, was_away: bool) -> bool:
        """Note an answer, `over_s` later than it may be; return whether Redis counts as away.

        One is enough while it was away before.
        """
        is_late = over_s > LATE_S
        self._count = self._count + 1 if is_late else 0
        return self._count >= LATE_MIN or (is_late and was_away)


class NotOfRedis(RedisAway):
    """An answer of another kind. The connection is to be closed: it may be out of step."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"an answer that is none of Redis: {reason}")


@contextmanager
def translated() -> Iterator[None]:
    """Turn what redis-py raises, refused writes included, into RedisAway.

    Only its calls belong in here: an error of our own code must not be taken for one of Redis.
    """
    try:
        yield
    except (RedisError, OSError) as error:
        # The error of a pipeline begins with the whole command, ids included.
        reason = str(error).rpartition(" of pipeline caused error: ")[2]
        raise RedisAway(reason or type(error).__name__) from error
    except UNREADABLE as error:
        raise NotOfRedis(type(error).__name__) from error


def wrong(answer: Any, due: str) -> RedisAway:
    """Make the error for an answer that is not what was due; a refusal has its own text."""
    if isinstance(answer, ResponseError):
        return RedisAway(str(answer))
    return NotOfRedis(f"{type(answer).__name__} instead of {due}")


def yes_or_no(answer: Any) -> bool:
    """Read the answer to EXPIRE: whether the key is there."""
    if not isinstance(answer, bool):
        raise wrong(answer, "yes or no")
    return answer


def count(answer: Any) -> int:
    """Read how many there are."""
    if type(answer) is not int or answer < 0:  # a bool is an int, too
        raise wrong(answer, "a count")
    return answer


def scores(answer: Any, length: int) -> list[float | None]:
    """Read the answer to ZMSCORE, which was asked for so many."""
    if not isinstance(answer, list) or len(answer) != length:
        raise wrong(answer, f"{length} scores")
    for score in answer:
        if score is not None and not isinstance(score, float):
            raise wrong(score, "a score")
    return answer


def popped(answer: Any) -> tuple[bytes | None, list[bytes]]:
    """Read the answer to BZMPOP: the key, None if there was nothing, and the members."""
    match answer:
        case None:
            return None, []
        case [bytes(key), [*pairs]]:
            return key, [member_of(pair) for pair in pairs]
    raise wrong(answer, "a key and its members")


def member_of(pair: Any) -> bytes:
    """Read one member of a sorted set, which comes with its score."""
    match pair:
        case [bytes(member), bytes() | float()]:
            return member
    raise wrong(pair, "a member and its score")


def figures(answer: Any) -> dict[str, Any]:
    """Read the answer to INFO or CONFIG GET."""
    if not isinstance(answer, dict):
        raise wrong(answer, "figures")
    return answer
