"""What `notify status` says to people."""

from datetime import UTC, datetime

import pytest

from service.cli.reading import next_try

NOW = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("due_at", "said"),
    [
        ("2026-07-01T12:00:57.400Z", "next try at 2026-07-01T12:00:57.400Z (in 58 s)"),
        ("2026-07-01T12:00:00Z", "next try now"),
        ("2026-07-01T11:00:00Z", "next try now"),
        ("infinity", "next try at infinity"),
        (None, "paused: notify explain 1 says why"),
    ],
)
def test_the_next_try_is_said_with_the_wait(due_at, said):
    assert next_try({"id": "1", "due_at": due_at}, NOW) == said
