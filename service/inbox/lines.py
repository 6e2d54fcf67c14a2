"""What the inbox prints: one line per arrival, fit for any terminal whatever arrived."""

import contextlib
from dataclasses import dataclass
from datetime import datetime
from typing import TextIO

from service.text.printable import printable

FIELD_MAX = 300
BODY_MAX = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Something that arrived. `note` is the verdict on a signature, or a mail's subject.

    `headers` are the ones worth a place in the line; `head` is all of them, one per line.
    """

    kind: str
    id: str | None
    where: str
    size: int
    note: str
    headers: str
    head: str
    body: str


class Lines:
    """The printer that both halves share."""

    def __init__(self, out: TextIO, *, verbose: bool) -> None:
        self._out = out
        self._encoding = out.encoding or "utf-8"
        self._verbose = verbose

    def show(self, arrival: Line) -> None:
        """Print one arrival: local time, kind, id, where to, size, note, headers."""
        time = datetime.now().astimezone().strftime("%H:%M:%S.%f")[:-3]
        fields = (
            time,
            f"{arrival.kind:7}",
            arrival.id or "(no id)",
            arrival.where,
            f"{arrival.size} bytes",
            arrival.note,
            f"[{arrival.headers}]",
        )
        text = "  ".join(plain(field, FIELD_MAX) for field in fields)
        if self._verbose:
            parts = (*arrival.head.splitlines(), "", *arrival.body[:BODY_MAX].splitlines())
            text += "".join(f"\n    {plain(line, BODY_MAX)}" for line in parts)
        # Somebody may have closed our output (`| head`): deliveries go on without lines.
        with contextlib.suppress(OSError, ValueError):
            print(
                text.encode(self._encoding, "backslashreplace").decode(self._encoding),
                file=self._out,
                flush=True,
            )


def plain(text: str, length_max: int) -> str:
    """Cut a text, and spell out what would move the cursor, colour it or break the encoding."""
    return printable(text if len(text) <= length_max else text[:length_max] + "…")
