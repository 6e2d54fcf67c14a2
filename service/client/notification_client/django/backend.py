"""The EMAIL_BACKEND: each recipient of a mail becomes a notification of channel `email`."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.db import Error, connections, transaction

from notification_client import NotificationError, send_many
from notification_client._notification import NOTIFICATIONS_MAX, OPTIONS, read
from notification_client.django.mail import notifications

Notification = dict[str, Any]


def database() -> str:
    """Name the database in whose transaction mails are sent."""
    return str(getattr(settings, "NOTIFY_DATABASE", "default"))


class EmailBackend(BaseEmailBackend):  # type: ignore[misc]
    """It opens no connection: Django's own has the transaction."""

    def __init__(self, fail_silently: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.fail_silently = fail_silently

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Queue the mails; returns how many of them have a recipient.

        One statement for up to 1,000 recipients, all mails or none. With `fail_silently` each mail
        has a savepoint of its own: one that the database refuses is left out, and the transaction
        goes on. A mail that cannot be carried raises ValueError, and one with a wrong option
        TypeError or ValueError, also then, before any is queued.
        """
        mails = [mail for message in email_messages if (mail := notifications(message))]
        if self.fail_silently:
            for notification in (one for mail in mails for one in mail):
                read(notification, OPTIONS)  # in autocommit those before it would be sent already
            return sum(is_queued(mail) for mail in mails)
        queue([notification for mail in mails for notification in mail])
        return len(mails)


def is_queued(mail: list[Notification]) -> bool:
    """Queue one mail, or leave the transaction as it was."""
    try:
        with atomic(database()):
            queue(mail)
    except (Error, NotificationError):
        return False
    return True


def queue(notifications: list[Notification]) -> None:
    """Hand them to the database; what takes several statements is still all or nothing."""
    parts = list(in_parts(notifications))
    with atomic(database(), savepoint=False) if len(parts) > 1 else nullcontext():
        for part in parts:
            send_many(part, db=connections[database()])


def in_parts(notifications: list[Notification]) -> Iterator[list[Notification]]:
    """Cut them into what one statement takes."""
    for start in range(0, len(notifications), NOTIFICATIONS_MAX):
        yield notifications[start : start + NOTIFICATIONS_MAX]


def atomic(alias: str, *, savepoint: bool = True) -> AbstractContextManager[None]:
    """Name the type of transaction.atomic(), as Django has none."""
    made = transaction.atomic(using=alias, savepoint=savepoint)
    return cast("AbstractContextManager[None]", made)
