"""Faults of whoever is to receive."""

from collections.abc import Callable, Iterator
from random import Random

from load.chaos.stand import Stand

MOODS = ("hangs", "drips", "garbage", "resets", "fails", "down")


def moody(mood: str) -> Callable[[Stand, Random], Iterator[float]]:
    """Make the fault of a provider in this mood."""

    def provider(stand: Stand, random: Random) -> Iterator[float]:
        stand.sink.ask(f"mood {mood}")
        yield random.uniform(2, 5)
        stand.sink.ask("mood fine")

    return provider
