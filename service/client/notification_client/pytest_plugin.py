"""The pytest plugin: fixture `outbox` shows what a test has enqueued. Nothing is sent.

With pytest-django it reads Django's connection, in the test's transaction. Elsewhere a conftest.py
says which `db` the program uses in its tests, as for send():

    @pytest.fixture
    def notify_db(session):
        return session
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Any

import pytest

from notification_client.outbox import Outbox

BACKEND = "notification_client.django.EmailBackend"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let tests with our notify_db ask pytest-django for the database, as it asks by their names.

    It makes a test database only if a collected test asks; else tests would run on the real one.
    """
    if has_django(config):
        for item in items:
            fixtures = getattr(item, "_fixtureinfo", None)
            found = fixtures.name2fixturedefs.get("notify_db") if fixtures else None
            if found and found[-1].func.__module__ == __name__ and not asks(item):
                item.add_marker("django_db")


def asks(item: pytest.Item) -> bool:
    """Return whether a test asks for Django's database itself."""
    names = {"db", "transactional_db", "django_db_reset_sequences", "live_server"}
    if item.get_closest_marker("django_db"):
        return True
    return not names.isdisjoint(getattr(item, "fixturenames", ()))


@pytest.fixture
def notify_db(request: pytest.FixtureRequest) -> Any:
    """Give the connection or session by which the program under test enqueues."""
    if not has_django(request.config):
        pytest.fail(
            "outbox needs to know your db: define a fixture `notify_db` that returns the connection"
            " or session which the program under test uses",
            pytrace=False,
        )
    request.getfixturevalue("db")
    from django.db import connections

    from notification_client.django.backend import database

    return connections[database()]


@pytest.fixture
def outbox(request: pytest.FixtureRequest, notify_db: Any) -> Iterator[Outbox]:
    """Show what this test enqueues from here on, by whatever means: send(), INSERT, a trigger."""
    with own_mails() if has_django(request.config) else nullcontext():
        yield Outbox(notify_db)


def has_django(config: pytest.Config) -> bool:
    """Return whether pytest-django runs, and has a project."""
    if not config.pluginmanager.hasplugin("django"):
        return False
    from django.conf import settings

    return settings.configured or "DJANGO_SETTINGS_MODULE" in os.environ


def own_mails() -> AbstractContextManager[object]:
    """Let mails be notifications as in production, if they are: Django's tests keep them."""
    from django.conf import settings
    from django.test import override_settings

    name = getattr(settings, "SETTINGS_MODULE", None)  # None: settings.configure() was called
    module = import_module(name) if name else None
    said = {name: getattr(module, name, None) for name in ("EMAIL_BACKEND", "MAILERS")}
    ours = {name: value for name, value in said.items() if BACKEND in str(value)}
    overridden: AbstractContextManager[object] = override_settings(**ours)
    return overridden
