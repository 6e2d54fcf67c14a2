"""Work on a batch in slices, so that requests beside it do not wait for all of it."""

import asyncio
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import TypeVar

SLICE_S = 0.0005  # for which a batch keeps the loop: a POST /notify waits for several turns of it

Input = TypeVar("Input")
Output = TypeVar("Output")


async def in_slices(work: Callable[[Input], Output], inputs: Iterable[Input]) -> list[Output]:
    """Do some work for each input, and let others have their turn each SLICE_S."""
    results: list[Output] = []
    ends = perf_counter() + SLICE_S
    for value in inputs:
        results.append(work(value))
        if perf_counter() > ends:
            await asyncio.sleep(0)
            ends = perf_counter() + SLICE_S
    return results
