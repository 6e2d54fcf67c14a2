"""What unit tests see of the log."""

from collections.abc import Iterator
from typing import Any

import pytest
from loguru import logger


@pytest.fixture
def events() -> Iterator[list[Any]]:
    """Collect this test's log records, from INFO up."""
    seen: list[Any] = []
    sink = logger.add(lambda message: seen.append(message.record), level="INFO")
    yield seen
    logger.remove(sink)
