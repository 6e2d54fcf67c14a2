"""Play faults one after another, at times and with parameters from a seed, and write them down."""

import time
from collections.abc import Callable, Iterator, Sequence
from random import Random

from load.chaos.faults import FAILOVER, FAULTS
from load.chaos.processes import ChaosError
from load.chaos.stand import Played, Stand

GAP_S = (1.0, 12.0)  # between two faults: some begin amid the recovery from the last one
SPARE_S = 6.0  # with less time left, no fault begins
WARM_S = 2.0  # before the first
WAITING = ("freeze_postgres", "unreachable_postgres")  # workers and dispatchers can only wait


def play_all(
    stand: Stand,
    random: Random,
    names: Sequence[str],
    seconds: float,
    *,
    say: Callable[[str], None],
    gap_s: tuple[float, float] = GAP_S,
) -> None:
    """Play faults until the time is up; each kind comes before any comes again."""
    ends = time.monotonic() + seconds
    pause(WARM_S, stand)
    for name in shuffled(random, names):
        if time.monotonic() + SPARE_S > ends:
            break
        played = play(stand, random, name)
        say(f"{played.ended - played.began:6.1f} s  {name}")
        pause(min(random.uniform(*gap_s), ends - time.monotonic()), stand)
    pause(max(0.0, ends - time.monotonic()), stand)


def play(stand: Stand, random: Random, name: str) -> Played:
    """Play one fault from its beginning to its end, and write it down."""
    watched = [*stand.workers, *stand.dispatchers] if name in WAITING else []
    began = time.time()
    spent = [role.cpu_s() for role in watched]
    for hold_s in (FAULTS | FAILOVER)[name](stand, random):
        time.sleep(hold_s)
        held_s = hold_s
    ended = time.time()
    cpu = [(r.cpu_s() - s) / held_s for r, s in zip(watched, spent, strict=True)]
    played = Played(name=name, began=began, ended=ended, waiting_cpu=max(cpu, default=None))
    stand.played.append(played)
    return played


def pause(seconds: float, stand: Stand) -> None:
    """Let it run. Raises ChaosError when a role has ended by itself."""
    ends = time.monotonic() + seconds
    while True:
        for role in stand.roles:
            if not role.runs:
                raise ChaosError(f"{role.name} ended by itself: {role.last_words()}")
        left = ends - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, 0.2))


def shuffled(random: Random, names: Sequence[str]) -> Iterator[str]:
    """Deal the names from a deck, again and again."""
    while True:
        deck = list(names)
        random.shuffle(deck)
        yield from deck
