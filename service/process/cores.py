"""How many cores this process may use: those of its affinity, cut by the quotas of its cgroups."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OURS = Path("/proc/self/cgroup")


def usable_cores(cgroups: Path = CGROUPS, ours: Path = OURS) -> int:
    """Count them, at least 1; of a quota the whole ones: half a core more is none."""
    quotas = [quota for directory in directories(cgroups, ours) for quota in quotas_of(directory)]
    return max(1, int(min([float(allowed_cores()), *quotas])))


def allowed_cores() -> int:
    """Count the cores that the system lets us run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def directories(cgroups: Path, ours: Path) -> Iterator[Path]:
    """Name the directories of our cgroup and of those around it, where each may have a quota.

    Version 2 has one tree, whose line is `0::/a/b`; version 1 has one for `cpu`. In a container the
    tree often begins at our own cgroup, and what the line says does not exist there.
    """
    lines = ""
    with suppress(OSError):
        lines = ours.read_text()
    for number, controllers, path in re.findall("^([0-9]+):([^:]*):(.*)$", lines, re.MULTILINE):
        if number == "0" or "cpu" in controllers.split(","):
            root = cgroups if number == "0" else cgroups / "cpu"
            inner = root / path.strip("/")
            yield from (inner, *inner.parents[: len(Path(path.strip("/")).parts)])


def quotas_of(directory: Path) -> Iterator[float]:
    """Read the quota of a cgroup in cores, if it has one."""
    # Version 2, where "max" is no quota, and then version 1, where -1 is none.
    with suppress(OSError, ValueError, ZeroDivisionError):
        quota, period = (directory / "cpu.max").read_text().split()
        yield int(quota) / int(period)
    with suppress(OSError, ValueError, ZeroDivisionError):
        quota_us = int((directory / "cpu.cfs_quota_us").read_text())
        if quota_us > 0:
            yield quota_us / int((directory / "cpu.cfs_period_us").read_text())
