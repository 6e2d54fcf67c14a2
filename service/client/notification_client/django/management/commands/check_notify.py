"""`manage.py check_notify`: whether the way from this project to the service is open."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any, NamedTuple

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error, connections, transaction

from notification_client import NotificationError, send
from notification_client.django.backend import atomic, database

LOOK = """
select case when current_setting('role') = 'none' then session_user
    else current_setting('role') end,
  current_database(), to_regnamespace('notify') is not null, count(p) = 3,
  coalesce(bool_and(has_function_privilege(p.oid, 'execute')
    and has_schema_privilege(p.pronamespace, 'usage')), false)
from pg_catalog.pg_proc p
where p.pronamespace = to_regnamespace('notify')
  and p.proname in ('send_many', 'producer_of', 'speaking_role')
"""
PRODUCER = "select notify.producer_of(notify.speaking_role())"
MAIL = {"subject": "Is the way open?", "text": "This is rolled back."}


class Found(NamedTuple):
    """What LOOK returns."""

    role: str
    database: str
    has_schema: bool
    is_current: bool
    may_send: bool


class Command(BaseCommand):  # type: ignore[misc]
    """Exit code 0: all is well; 1: a line on standard error says what to do."""

    help = (
        "Look whether this project can send notifications: connect, look at schema, role and"
        " rights, and queue a mail that is rolled back. Changes nothing."
    )
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take another database than that of NOTIFY_DATABASE."""
        parser.add_argument("--database", metavar="ALIAS", help="instead of NOTIFY_DATABASE")

    def handle(self, **options: Any) -> None:
        """Print a line for each thing that is fine. Raises CommandError for what is not."""
        for what, finding in findings(options["database"] or database()):
            self.stdout.write(f"{what:<10} {finding}")


def findings(alias: str) -> Iterator[tuple[str, str]]:
    """Look at one thing after the other."""
    if alias not in connections:
        raise CommandError(f"DATABASES has no {alias!r}")
    if connections[alias].vendor != "postgresql":
        raise CommandError(f"{alias} is a {connections[alias].vendor}, not PostgreSQL")
    found = Found(*asked(alias, LOOK))
    yield "database", f"{found.database}, the alias {alias}"
    if not found.has_schema:
        raise CommandError(
            f"{found.database} has no schema notify: run `notify migrate` on it, or name another"
            " database by NOTIFY_DATABASE"
        )
    if not found.is_current:
        raise CommandError("its schema notify is older than this client: run `notify migrate`")
    yield "schema", "notify"
    if not found.may_send:
        raise CommandError(
            f"{found.role} may not send; as the database's owner:"
            f" select notify.grant_producer('{found.role}')"
        )
    [producer] = asked(alias, PRODUCER)
    yield "role", f"{found.role}, which sends as the producer {producer}"
    try_to_send(alias)
    yield "send", "a mail was accepted, and rolled back"
    yield "mail", mail_goes()


def asked(alias: str, query: str) -> tuple[Any, ...]:
    """Give the row that a query returns. Raises CommandError when the database is away."""
    try:
        with connections[alias].cursor() as cursor:
            cursor.execute(query)
            return tuple(cursor.fetchone())
    except Error as error:
        raise CommandError(f"{alias} cannot be asked: {one_line(error)}") from error


def try_to_send(alias: str) -> None:
    """Queue a mail and roll it back. Raises CommandError with the reason when it is refused."""
    try:
        with atomic(alias):
            send("email", "you@example.com", MAIL, db=connections[alias])
            transaction.set_rollback(True, using=alias)
    except (Error, NotificationError) as error:
        raise CommandError(f"a mail is refused: {one_line(error)}") from error


def mail_goes() -> str:
    """Say where send_mail() leads."""
    backend = str(getattr(settings, "MAILERS", "") or settings.EMAIL_BACKEND)
    if "notification_client.django.EmailBackend" in backend:
        return "send_mail() goes this way"
    if "notification_client." in backend:
        raise CommandError("EMAIL_BACKEND is none: write notification_client.django.EmailBackend")
    return "send_mail() does not go this way: EMAIL_BACKEND is another"


def one_line(error: Exception) -> str:
    """Give the first line of what was said."""
    return str(error).partition("\n")[0]
