"""A running edge on this test's own database."""

from collections.abc import Iterator

import pytest
from loguru import logger

from service.logs.logs import OURS
from tests.integration.api.serving import Api, serving


@pytest.fixture
def api(dsn: str) -> Iterator[Api]:
    """Serve with every channel configured."""
    with serving(dsn) as running:
        yield running


@pytest.fixture
def tracebacks() -> Iterator[list[str]]:
    """Collect the log lines that carry an exception."""
    lines: list[str] = []

    def collect(message: object) -> None:
        record = message.record  # type: ignore[attr-defined]
        if record["exception"] is not None:
            lines.append(record["message"])

    sink = logger.add(collect, format="{message}")
    yield lines
    logger.remove(sink)


@pytest.fixture
def warned() -> Iterator[list[str]]:
    """Collect the log's warnings, with their fields."""
    lines: list[str] = []
    sink = logger.add(
        lambda line: lines.append(str(line)), level="WARNING", format="{message} {extra}"
    )
    yield lines
    logger.remove(sink)


@pytest.fixture
def events() -> Iterator[list[tuple[str, dict[str, object]]]]:
    """Collect what is logged: the event's name, and its fields."""
    logged: list[tuple[str, dict[str, object]]] = []

    def collect(message: object) -> None:
        record = message.record  # type: ignore[attr-defined]
        fields = {name: value for name, value in record["extra"].items() if name not in OURS}
        if "_rows" not in record["extra"]:
            logged.append((record["message"], fields))

    sink = logger.add(collect, format="{message}")
    yield logged
    logger.remove(sink)
