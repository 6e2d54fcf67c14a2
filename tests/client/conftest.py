"""A Django project, whose databases are the test's."""

import django
import pytest
from django.conf import settings
from django.db import connections
from psycopg.conninfo import conninfo_to_dict

US = "Shop <shop@example.org>"


def described(url):
    """Say to Django where the database is."""
    parts = conninfo_to_dict(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts["dbname"],
        "USER": parts["user"],
        "PASSWORD": parts["password"],
        "HOST": parts["host"],
        "PORT": parts["port"],
        "OPTIONS": {},
    }


@pytest.fixture(scope="session")
def project():
    """Configure Django once: it can be done but once in a process."""
    settings.configure(
        DATABASES={"default": {}, "ledger": {}},
        EMAIL_BACKEND="notification_client.django.EmailBackend",
        INSTALLED_APPS=["notification_client.django"],
        DEFAULT_FROM_EMAIL=US,
        USE_TZ=True,
    )
    django.setup()


@pytest.fixture
def shop(project, dsn, empty_dsn):
    """Let Django's default connection be one to the test's database; the other's has no schema."""
    for alias, url in (("default", dsn), ("ledger", empty_dsn)):
        connections.settings[alias] |= described(url)
        connections[alias].settings_dict |= described(url)
    yield
    connections.close_all()
