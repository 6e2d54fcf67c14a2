"""The processes that run, read from /proc."""

from pathlib import Path


def descendants(pid: int) -> set[int]:
    """Find the children of a process, and theirs."""
    parents = {child: parent_of(child) for child in pids()}
    family = {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return family - {pid}


def running(pids: set[int]) -> set[int]:
    """Keep the processes that still run; a zombie has ended."""
    return {pid for pid in pids if state_of(pid) not in ("", "Z")}


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
