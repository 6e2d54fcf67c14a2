"""`notify destinations`: where notifications went in the last hour."""

import argparse
from typing import Any

from service.cli.address import base_url
from service.cli.output import say, show
from service.cli.reading import shaped

HEAD = ("per min", "failed", "p50 ms", "p99 ms", "channel", "destination", "state", "last error")


def destinations(args: argparse.Namespace) -> int:
    """Print a line for each, the busiest first."""
    from service.cli import client

    answer = client.destinations(base_url(args), args.limit, {"limit": "--limit"})
    items = shaped(answer, "items")["items"]
    if args.json:
        show(answer)
    else:
        say(row(columns) for columns in [HEAD, *map(cells, items)])
    return 0


def cells(item: dict[str, Any]) -> tuple[str, ...]:
    """Put one destination into the columns of HEAD."""
    sends = item.get("sends") or 0
    failed = f"{100 * (item.get('failures') or 0) / sends:.0f} %" if sends else "-"
    took = [item.get(name) for name in ("p50_ms", "p99_ms")]
    return (
        f"{item.get('per_min') or 0:.1f}", failed,
        *("-" if ms is None else f"{ms:.0f}" for ms in took),
        str(item.get("channel")), item.get("destination") or "(others)",
        str(item.get("state") or "-"), str(item.get("last_code") or ""),
    )  # fmt: skip


def row(columns: tuple[str, ...]) -> str:
    """Align the columns of a fixed width; the others follow, however long they are."""
    rate, failed, p50, p99, channel, *rest = columns
    head = f"{rate:>9}  {failed:>6}  {p50:>6}  {p99:>6}  {channel:7}"
    return "  ".join([head, *rest]).rstrip()
