"""Clients that a test made are closed at its end."""

from collections.abc import Iterator

import pytest
from notification_client import Client


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
