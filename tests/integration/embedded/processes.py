"""What runs, as /proc tells it."""

from pathlib import Path


def descendants(pid: int) -> set[int]:
    """Find the children of a process, and theirs."""
    parents = {child: parent_of(child) for child in pids()}
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def running(some: set[int]) -> set[int]:
    """Leave out the processes that ended; one that nobody waited for has ended as well."""
    return {pid for pid in some if state_of(pid) not in ("", "Z")}


def pids() -> list[int]:
    """List all processes."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def read(pid: int, name: str) -> bytes:
    """Read what /proc knows; empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def state_of(pid: int) -> str:
    """Give the state letter; empty when the process is gone."""
    return read(pid, "stat").rpartition(b") ")[2][:1].decode()


def parent_of(pid: int) -> int:
    """Give the parent's id; 0 when the process is gone."""
    fields = read(pid, "stat").rpartition(b") ")[2].split()
    return int(fields[1]) if fields else 0
