"""What Linux says of a process and its children: CPU time and memory. There has to be a /proc."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
MB = 1_000_000
CPU_TIMES = slice(11, 15)  # behind the name: user, system, and both of children that have ended


def tree(pid: int) -> list[int]:
    """Name a process and all that descend from it."""
    found = [pid]
    for parent in found:  # it grows as we go
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            with suppress(OSError):
                found += map(int, task.read_text().split())
    return found


def cpu_s(pids: Iterable[int]) -> float:
    """Add up the CPU time of these, and of their children that have ended."""
    return TICK_S * sum(ticks(pid) for pid in pids)


def ticks(pid: int) -> int:
    """Read one process's CPU time; 0 if it has ended: its parent has it then."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[CPU_TIMES]))


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
