"""How many notifications a worker may hold: the claimer takes, senders and settler give back."""

import threading
from collections.abc import Collection

from workers.claim import Key


class Slots:
    """What is not yet settled, and how much of it is being sent: each within its limit.

    A slot is free again when its send has ended, so that the next claim runs beside the settle;
    the second limit stops the claims when settling does not keep up. The settler lowers it while it
    cannot settle.

    Threads: free, take, pop_doubt and unknown are the claimer's, so that nobody else takes what is
    free; allow is the settler's. The rest is anybody's; sending, in_hand and is_shut read one
    number, which needs no lock.
    """

    def __init__(self, sending_max: int, in_hand_max: int) -> None:
        self._sending_max = sending_max
        self._in_hand_max = in_hand_max
        self._allowed = in_hand_max
        self._sending = 0
        self._in_hand: set[Key] = set()
        self._has_doubt = False  # claims may have got lost: the ledger is to be asked
        self._changed = threading.Condition()
        self._enough = 1  # what the claimer last waited for: with less it would only wait again

    @property
    def most(self) -> int:
        """How many may be sent at once."""
        return self._sending_max

    @property
    def sending(self) -> int:
        """How many claims are being sent, or wait for that."""
        return self._sending

    @property
    def in_hand(self) -> int:
        """How many claims are not yet settled."""
        return len(self._in_hand)

    @property
    def is_shut(self) -> bool:
        """Whether nothing may be claimed, or begun, because nothing can be settled."""
        return self._allowed == 0

    def allow(self, in_hand_max: int | None = None) -> None:
        """Let claims fill no more than this from now on; None: all that a worker may hold."""
        with self._changed:
            self._allowed = self._in_hand_max if in_hand_max is None else in_hand_max
            self._wake_claimer()

    def free(self, timeout_s: float, enough: int = 1) -> int:
        """Return how many may be claimed now, waiting for `enough` of them until the timeout."""
        with self._changed:
            self._enough = enough
            self._changed.wait_for(lambda: self._room() >= enough, timeout_s)
            return self._room()

    def take(self, keys: Collection[Key]) -> None:
        """Note claims."""
        with self._changed:
            self._sending += len(keys)
            self._in_hand.update(keys)

    def ended(self, count: int) -> None:
        """Count sends that are over, or will not begin."""
        with self._changed:
            self._sending -= count
            self._wake_claimer()

    def settled(self, keys: Collection[Key]) -> None:
        """Note claims that are no longer in hand."""
        with self._changed:
            self._in_hand.difference_update(keys)
            self._wake_claimer()

    def lost(self, keys: Collection[Key]) -> None:
        """Note claims that an error has lost: the claimer asks the ledger and releases them."""
        with self._changed:
            self.settled(keys)
            self._has_doubt = True

    def pop_doubt(self) -> bool:
        """Return whether claims may have got lost since this was last called."""
        with self._changed:
            has_doubt, self._has_doubt = self._has_doubt, False
        return has_doubt

    def unknown(self, keys: Collection[Key]) -> list[Key]:
        """Return which of these are not in hand."""
        with self._changed:
            return [key for key in keys if key not in self._in_hand]

    def _wake_claimer(self) -> None:
        """End the claimer's wait, if there is enough."""
        if self._room() >= self._enough:
            self._changed.notify()

    def _room(self) -> int:
        """Return how many more both limits allow."""
        return min(self._sending_max - self._sending, self._allowed - len(self._in_hand))
