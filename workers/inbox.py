"""What a sender has been given and has not begun: urgent claims come out first."""

from collections import deque
from collections.abc import Iterator

from workers.claim import Claim


class Inbox:
    """Claims in the order in which they begin.

    Threads: put is the claimer's. All else is the sender's, and the runner's once the sender is
    stuck: if both take claims out, each claim goes to one of them.
    """

    def __init__(self) -> None:
        self._urgent: deque[Claim] = deque()
        self._others: deque[Claim] = deque()

    def __bool__(self) -> bool:
        """Return whether anything waits."""
        return bool(self._urgent or self._others)

    @property
    def has_urgent(self) -> bool:
        """Whether anything urgent waits."""
        return bool(self._urgent)

    def put(self, claims: list[Claim], *, are_urgent: bool = False) -> None:
        """Add claims."""
        (self._urgent if are_urgent else self._others).extend(claims)

    def emptied(self, *, of_urgent: bool = False) -> Iterator[Claim]:
        """Take out one claim after the other, also those that come meanwhile.

        `of_urgent`: of those only.
        """
        while self._urgent or (self._others and not of_urgent):
            try:
                claim = (self._urgent or self._others).popleft()
            except IndexError:  # the other thread has taken the last one
                continue
            yield claim
