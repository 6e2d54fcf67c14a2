"""The faults of both servers' links."""

from collections.abc import Callable, Iterator
from random import Random


def frozen(ask: Callable[[str], str], random: Random) -> Iterator[float]:
    """Freeze a link."""
    ask("freeze")
    yield random.uniform(4, 8)
    ask("thaw")


def unreachable(ask: Callable[[str], str], random: Random) -> Iterator[float]:
    """Freeze a link, and drop the SYN of whoever wants to connect."""
    ask("isolate")
    yield random.uniform(4, 8)
    ask("rejoin")
