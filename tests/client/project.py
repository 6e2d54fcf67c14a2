"""The Django project of tests."""

from typing import Any

import django
from django.conf import settings
from psycopg.conninfo import conninfo_to_dict

US = "Shop <shop@example.org>"


def configure_django() -> None:
    """Configure Django, once in a process, as a program that sends its mails as notifications."""
    if not settings.configured:
        settings.configure(
            DATABASES={"default": {}, "ledger": {}},
            EMAIL_BACKEND="notification_client.django.EmailBackend",
            INSTALLED_APPS=["notification_client.django"],
            DEFAULT_FROM_EMAIL=US,
            USE_TZ=True,
        )
        django.setup()


def described(url: str) -> dict[str, Any]:
    """Say to Django where a database is."""
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
