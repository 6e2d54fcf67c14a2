"""A sender's inbox: claims that it was given and has not begun."""

from collections import deque
from collections.abc import Iterator, Sequence

from workers.claim import Claim

FAIR_EVERY = 8  # each 8th that begins is not urgent, so that no lease passes here


class Inbox:
    """What is urgent begins first; all keep the order in which they came.

    Threads: put is the claimer's; emptied is the sender's, and the runner's for one that is stuck.
    No lock: each claim is popped once.
    """

    def __init__(self) -> None:
        self._urgent: deque[Claim] = deque()
        self._others: deque[Claim] = deque()
        self._popped = 0

    def __bool__(self) -> bool:
        return bool(self._urgent or self._others)

    def put(self, claims: Sequence[Claim], *, is_urgent: bool) -> None:
        """Take claims."""
        (self._urgent if is_urgent else self._others).extend(claims)

    def emptied(self) -> Iterator[Claim]:
        """Take out one claim after the other."""
        while self:
            self._popped += 1
            is_fair = self._popped % FAIR_EVERY == 0
            first = self._others if self._others and (is_fair or not self._urgent) else self._urgent
            try:
                yield first.popleft()
            except IndexError:  # another thread has taken the last one
                continue
