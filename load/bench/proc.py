"""What Linux says of a process and its children: CPU time and memory."""

import os
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from load.bench.processes import BenchError

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
MB = 1_000_000
# Fields of stat behind the name. The times: user, system, and both of children that have ended.
PARENT, CPU_TIMES = 1, slice(11, 15)


def tree(pid: int) -> list[int]:
    """Name a process and all that descend from it. Raises BenchError where there is no /proc."""
    children = defaultdict(list)
    for directory in Path("/proc").glob("[0-9]*"):
        if fields := stat(int(directory.name)):
            children[int(fields[PARENT])].append(int(directory.name))
    if not children:
        raise BenchError("only Linux tells what a process takes")
    found = [pid]
    for parent in found:  # it grows as we go
        found += children[parent]
    return found


def cpu_s(pids: Iterable[int]) -> float:
    """Add up the CPU time of these, and of their children that have ended."""
    return TICK_S * sum(int(field) for pid in pids for field in stat(pid)[CPU_TIMES])


def stat(pid: int) -> list[str]:
    """Read the fields behind a process's name; none if it has ended: its parent has its times."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def resident_mb(pid: int) -> float:
    """Read how much memory the largest of a process and its descendants has now."""
    return max(status_mb(each, "VmRSS:") for each in tree(pid))


def peak_mb(pid: int) -> float:
    """Read how much memory the largest of them had at most."""
    return max(status_mb(each, "VmHWM:") for each in tree(pid))


def status_mb(pid: int, name: str) -> float:
    """Read one line of a process's status; 0 if the process has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024 / MB
    return 0.0
