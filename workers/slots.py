"""How many notifications a worker may hold: the claimer takes, senders and settler give back."""

import threading


class Slots:
    """Counts of what is being sent and of what is not yet settled, each within its limit.

    A slot is free again when its send has ended, so that the next claim runs beside the settle;
    the second limit stops the claims when settling does not keep up, or cannot.
    """

    def __init__(self, sending_max: int, in_hand_max: int) -> None:
        self.sending_max = sending_max
        self.in_hand_max = in_hand_max
        self.sending = 0
        self.in_hand = 0
        self.changed = threading.Condition()

    def free(self, timeout_s: float) -> int:
        """Return how many may be claimed now, waiting for one until the timeout."""
        with self.changed:
            self.changed.wait_for(lambda: self.room() > 0, timeout_s)
            return self.room()

    def room(self) -> int:
        """Return what both limits leave."""
        return min(self.sending_max - self.sending, self.in_hand_max - self.in_hand)

    def take(self, count: int) -> None:
        """Count notifications that were claimed."""
        with self.changed:
            self.sending += count
            self.in_hand += count

    def ended(self, count: int) -> None:
        """Count sends that are over, or will not begin."""
        with self.changed:
            self.sending -= count
            self.changed.notify()

    def settled(self, count: int) -> None:
        """Count notifications that are no longer in hand."""
        with self.changed:
            self.in_hand -= count
            self.changed.notify()
