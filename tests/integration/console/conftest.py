"""A running edge with the console, on this test's own database."""

from collections.abc import Iterator

import pytest

from tests.integration.api.serving import Api, serving


@pytest.fixture
def api(dsn: str) -> Iterator[Api]:
    """Serve with every channel configured."""
    with serving(dsn) as running:
        yield running
