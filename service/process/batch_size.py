"""How many rows the next call takes: fewer, where PostgreSQL is slow."""

SHRINK = 4


class BatchSize:
    """A quarter of a call that took too long; `growth` times as many after any other, up to `most`.

    `rows`: of the next call.
    """

    def __init__(self, most: int, *, growth: int) -> None:
        self._most = self.rows = most
        self._growth = growth

    def answered(self) -> None:
        """Learn that the answer came in time."""
        self.rows = min(self._most, self.rows * self._growth)

    def took_too_long(self, rows: int) -> None:
        """Learn that a call of so many rows did: there may not have been as many as asked for."""
        self.rows = max(1, rows // SHRINK)
