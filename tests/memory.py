"""Check that something done again and again keeps no memory, of the interpreter or of C."""

import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path

WARM_UP = 2000
WINDOWS = 4
WINDOW = 2000
BLOCKS_MAX = WINDOW // 10  # objects: a leak of one per turn makes WINDOW of them
BYTES_MAX = WINDOW * 256  # of the process: C code may leak them


def holds_flat(turn: Callable[[], object]) -> None:
    """Take 10,000 turns; in one window of them at least, nothing was kept.

    A leak grows in every window; an object made once does not, nor does a cache that fills up.
    """
    windows = []
    repeat(turn, WARM_UP)
    for _ in range(WINDOWS):
        before = blocks(), resident()
        repeat(turn, WINDOW)
        windows.append((blocks() - before[0], resident() - before[1]))
    assert min(grown for grown, _ in windows) < BLOCKS_MAX, windows
    assert min(grown for _, grown in windows) < BYTES_MAX, windows


def repeat(turn: Callable[[], object], times: int) -> None:
    """Take so many turns."""
    for _ in range(times):
        turn()


def blocks() -> int:
    """Count what the interpreter has allocated; it includes objects that C extensions leak."""
    gc.collect()
    return sys.getallocatedblocks()


def resident() -> int:
    """Give the bytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
