"""Keep the lines that wait for Loki: a bounded queue of what each log call wrote."""

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from loguru import Record

LINES_MAX = 20_000  # that wait
BYTES_MAX = 32 * 1024 * 1024
BATCH_LINES_MAX = 1000
BATCH_BYTES_MAX = 1024 * 1024  # before gzip

encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """The lines of one log call: `count` of them, each with its line break."""

    role: str
    level: str
    ns: int  # since 1970
    lines: bytes
    count: int


class Backlog:
    """The chunks that wait, bounded by lines and bytes: the oldest are dropped for the newest."""

    def __init__(self, lines_max: int = LINES_MAX, bytes_max: int = BYTES_MAX) -> None:
        self.lines_max = lines_max
        self.bytes_max = bytes_max
        self.lines = 0
        self.bytes = 0
        self.chunks: deque[Chunk] = deque()
        self.lock = threading.Lock()

    @property
    def fills_a_batch(self) -> bool:
        """Whether enough waits for a whole batch."""
        return self.lines >= BATCH_LINES_MAX or self.bytes >= BATCH_BYTES_MAX

    def put(self, chunk: Chunk) -> int:
        """Add the newest; returns how many lines were dropped for it."""
        if not chunk.count:
            return 0
        dropped = 0
        with self.lock:
            self.chunks.append(chunk)
            self.lines += chunk.count
            self.bytes += len(chunk.lines)
            while self.lines > self.lines_max or self.bytes > self.bytes_max:
                dropped += self.pop().count
        return dropped

    def take(self) -> list[Chunk]:
        """Take the oldest, as many as one push may hold; a chunk is never cut."""
        taken: list[Chunk] = []
        lines = size = 0
        with self.lock:
            while self.chunks:
                lines += self.chunks[0].count
                size += len(self.chunks[0].lines)
                if taken and (lines > BATCH_LINES_MAX or size > BATCH_BYTES_MAX):
                    break
                taken.append(self.pop())
        return taken

    def pop(self) -> Chunk:
        chunk = self.chunks.popleft()
        self.lines -= chunk.count
        self.bytes -= len(chunk.lines)
        return chunk


def chunk(record: "Record") -> Chunk:
    """Make a chunk of what a record holds for Loki."""
    lines: bytes = record["extra"]["_lines"]
    return Chunk(
        role=record["extra"]["role"],
        level=record["level"].name.lower(),
        ns=int(record["time"].timestamp() * 1_000_000) * 1000,
        lines=lines,
        count=lines.count(b"\n"),
    )


def body(batch: Iterable[Chunk]) -> bytes:
    """Write the body of a push: one stream per role and level, its lines a nanosecond apart."""
    streams: dict[tuple[str, str], list[tuple[str, str]]] = {}
    next_ns: dict[tuple[str, str], int] = {}
    for chunk in sorted(batch, key=lambda chunk: chunk.ns):
        key = chunk.role, chunk.level
        begin = max(chunk.ns, next_ns.get(key, 0))
        lines = chunk.lines.decode().split("\n")[:-1]
        streams.setdefault(key, []).extend((str(ns), line) for ns, line in enumerate(lines, begin))
        next_ns[key] = begin + len(lines)
    return encode(
        {
            "streams": [
                {"stream": {"app": "notify", "role": role, "level": level}, "values": values}
                for (role, level), values in streams.items()
            ]
        }
    )
