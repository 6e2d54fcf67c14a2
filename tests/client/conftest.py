"""Clients that a test made are closed at its end; a Django project has the test's databases."""

from collections.abc import Iterator

import pytest
from django.db import connections
from notification_client import Client

from tests.client.project import configure_django, described


@pytest.fixture(autouse=True)
def clients_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close them, as a program does: a connection that is kept open would warn."""
    made: list[Client] = []
    begin = Client.__init__

    def note(client: Client, *args: object, **options: object) -> None:
        begin(client, *args, **options)  # type: ignore[arg-type]
        made.append(client)

    monkeypatch.setattr(Client, "__init__", note)
    yield
    for client in made:
        client.close()


@pytest.fixture
def shop(dsn: str, empty_dsn: str) -> Iterator[None]:
    """Let Django's default connection be one to the test's database; the other's has no schema."""
    configure_django()
    for alias, url in (("default", dsn), ("ledger", empty_dsn)):
        connections.settings[alias] |= described(url)
        connections[alias].settings_dict |= described(url)
    yield
    connections.close_all()
