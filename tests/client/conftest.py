"""A Django project whose databases are the test's."""

import pytest
from django.db import connections

from tests.client.project import configure_django, described


@pytest.fixture
def shop(dsn, empty_dsn):
    """Let Django's default connection be one to the test's database; the other's has no schema."""
    configure_django()
    for alias, url in (("default", dsn), ("ledger", empty_dsn)):
        connections.settings[alias] |= described(url)
        connections[alias].settings_dict |= described(url)
    yield
    connections.close_all()
