"""How many notifications a worker may hold: the claimer takes, senders and settler give back."""

import threading
from collections.abc import Collection

from workers.claim import Key


class Slots:
    """What is not yet settled, and how much of it is being sent: each within its limit.

    A slot is free again when its send has ended, so that the next claim runs beside the settle;
    the second limit stops the claims when settling does not keep up, or cannot.
    """

    def __init__(self, sending_max: int, in_hand_max: int) -> None:
        self.sending_max = sending_max
        self.in_hand_max = in_hand_max
        self.sending = 0
        self.in_hand: set[Key] = set()
        self.doubt = False  # something may have got lost: the ledger is to be asked
        self.changed = threading.Condition()

    def free(self, timeout_s: float) -> int:
        """Return how many may be claimed now, waiting for one until the timeout."""
        with self.changed:
            self.changed.wait_for(lambda: self.room() > 0, timeout_s)
            return self.room()

    def room(self) -> int:
        """Return what both limits leave."""
        return min(self.sending_max - self.sending, self.in_hand_max - len(self.in_hand))

    def take(self, keys: Collection[Key]) -> None:
        """Note claims."""
        with self.changed:
            self.sending += len(keys)
            self.in_hand.update(keys)

    def ended(self, count: int) -> None:
        """Count sends that are over, or will not begin."""
        with self.changed:
            self.sending -= count
            self.changed.notify()

    def settled(self, keys: Collection[Key]) -> None:
        """Note claims that are no longer in hand."""
        with self.changed:
            self.in_hand.difference_update(keys)
            self.changed.notify()

    def lost(self, keys: Collection[Key]) -> None:
        """Note claims that an error has taken out of our hands: the claimer gives them back."""
        self.settled(keys)
        self.doubt = True

    def unknown(self, keys: Collection[Key]) -> list[Key]:
        """Say which of these are not in hand."""
        with self.changed:
            return [key for key in keys if key not in self.in_hand]
