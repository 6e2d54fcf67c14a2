"""Write ops/grafana/dashboards/: `python -m ops.dashboards [--check]`."""

import json
import sys
from pathlib import Path

from ops.dashboards import one_notification, overview, postgres_redis, road

DIRECTORY = Path(__file__).resolve().parent.parent / "grafana" / "dashboards"
BOARDS = {
    "overview.json": overview.BOARD,
    "road.json": road.BOARD,
    "one-notification.json": one_notification.BOARD,
    "postgres-redis.json": postgres_redis.BOARD,
}


def wanted() -> dict[Path, str]:
    """Say what each file should hold."""
    return {
        DIRECTORY / name: json.dumps(board.json(), indent=2, ensure_ascii=False) + "\n"
        for name, board in BOARDS.items()
    }


def main() -> int:
    """Write what differs; with --check only say so, by exit code 1."""
    stale = [
        path
        for path, text in wanted().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path.name} is not current: run python -m ops.dashboards", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.write_text(wanted()[path], encoding="utf-8")
        print(path.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
