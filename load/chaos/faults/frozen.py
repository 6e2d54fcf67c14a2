"""The fault of both servers' links."""

from collections.abc import Callable, Iterator
from random import Random


def frozen(tell: Callable[[str], str], random: Random) -> Iterator[float]:
    """Freeze a link."""
    tell("freeze")
    yield random.uniform(4, 8)
    tell("thaw")
