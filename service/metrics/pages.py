"""Pages of /metrics: our own, and one page out of those of several processes of one role.

prometheus_client can add processes up only through files that it writes at each change, and knows
no gauge there that is a function. So each process writes its page, and the pages are merged.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from prometheus_client import REGISTRY, generate_latest
from prometheus_client.utils import floatToGoString

Merge = Callable[[Iterable[float]], float]


def farthest(values: Iterable[float]) -> float:
    """Return the value that is farthest from 0, with its sign."""
    return max(values, key=abs)


# How the gauges of several processes become one. Counters and histograms add up.
GAUGES: dict[str, Merge] = {
    "worker_jobs_in_hand": sum,
    "worker_sends_in_flight": sum,
    "worker_slots": sum,
    # Each process finds out by itself that a destination fails: a sum would count it again.
    "worker_breakers": max,
    "worker_redis_unoffered": max,
    "worker_ledger_is_copy": max,
    "worker_clock_skew_seconds": farthest,
    # The parent alone has these two.
    "worker_processes": sum,
    "worker_processes_wanted": sum,
    "notify_build_info": max,
    "db_pool_connections": sum,
    "db_pool_requests_waiting": sum,
    "python_info": max,
    "process_virtual_memory_bytes": sum,
    "process_resident_memory_bytes": sum,
    "process_start_time_seconds": min,  # the parent's: a child that is restarted moves nothing
    "process_open_fds": sum,
    "process_max_fds": sum,
}
ADDED_UP = ("counter", "histogram")


@dataclass(frozen=True, slots=True)
class Family:
    """One metric of a page: its HELP and TYPE lines, its type, its samples by name and labels."""

    head: str
    kind: str
    samples: dict[str, float] = field(default_factory=dict)


def own_page() -> str:
    """Write what this process shows."""
    return generate_latest(REGISTRY).decode()


def merged(pages: Iterable[str]) -> str:
    """Merge pages of several processes into one. What is NaN yields to what is known."""
    heads: dict[str, Family] = {}
    values: dict[str, dict[str, list[float]]] = {}
    for page in pages:
        for name, family in families(page).items():
            heads.setdefault(name, family)
            of_name = values.setdefault(name, {})
            for sample, value in family.samples.items():
                of_name.setdefault(sample, []).append(value)
    return "".join(text(name, family, values[name]) for name, family in heads.items())


def added_up(pages: Iterable[str]) -> str:
    """Merge what counts of pages alone: what remains of processes that have ended."""
    counting = (
        "".join(
            text(name, family, {key: [value] for key, value in family.samples.items()})
            for name, family in families(page).items()
            if family.kind in ADDED_UP
        )
        for page in pages
    )
    return merged(counting)


def families(page: str) -> dict[str, Family]:
    """Take a page of generate_latest() apart: below each TYPE line are its samples."""
    found: dict[str, Family] = {}
    help_line = ""
    family = Family("", "")
    for line in page.split("\n"):
        if line.startswith("# HELP "):
            help_line = line
        elif line.startswith("# TYPE "):
            name, kind = line.split(" ")[2:4]
            family = found.setdefault(name, Family(f"{help_line}\n{line}\n", kind))
        elif line:
            sample, _, value = line.rpartition(" ")
            family.samples[sample] = float(value)
    return found


def text(name: str, family: Family, values: dict[str, list[float]]) -> str:
    """Write one metric."""
    merge = sum if family.kind in ADDED_UP else GAUGES.get(name, sum)
    lines = [f"{key} {written(known(merge, several))}\n" for key, several in values.items()]
    return family.head + "".join(lines)


def known(merge: Merge, values: list[float]) -> float:
    """Merge the values that are known; NaN: none is."""
    numbers = [value for value in values if not math.isnan(value)]
    return merge(numbers) if numbers else math.nan


def written(value: float) -> str:
    """Write a value as the other pages do."""
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]
