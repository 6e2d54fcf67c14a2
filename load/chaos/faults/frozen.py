"""The faults of both servers' links."""

from collections.abc import Callable, Iterator
from random import Random


def frozen(tell: Callable[[str], str], random: Random) -> Iterator[float]:
    """Freeze a link."""
    tell("freeze")
    yield random.uniform(4, 8)
    tell("thaw")


def unreachable(tell: Callable[[str], str], random: Random) -> Iterator[float]:
    """Freeze a link, and drop the SYN of whoever wants to connect."""
    tell("isolate")
    yield random.uniform(4, 8)
    tell("rejoin")
