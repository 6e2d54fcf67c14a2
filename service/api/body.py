"""The body of POST /notify, and every check of it that needs no database."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from service.api.decoding import Body, Timestamp, member_faults
from service.api.storable import unstorable
from service.channels.email import CONTROL, WITHOUT_CONTROL, EmailPayload, http_url
from service.config.settings import Settings
from service.http.problems import Fault
from service.model import DEFAULT_PRIORITY, Channel
from service.text.addresses import mailbox


class NewNotification(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What to deliver, to whom, and when."""

    # The same struct is decoded from the body and encoded as the row; a description is also what
    # a client is told when the field is wrong.
    channel: Annotated[Channel, Meta(description="Use webhook, email or log.")]
    recipient: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=2048,
            description="Use a URL (webhook) or an address (email), up to 2048 characters.",
            examples=["https://example.com/hook"],
            extra_json_schema=WITHOUT_CONTROL,
        ),
    ]
    payload: Annotated[
        msgspec.Raw,
        Meta(
            description="Any JSON value: the body of the webhook; for email an EmailPayload.",
            examples=[{"text": "hello"}],
        ),
    ]
    priority: Annotated[
        Annotated[int, Meta(ge=0, le=3)] | None,
        Meta(description="Use 0 (urgent), 1, 2 (the default) or 3 (bulk)."),
    ] = DEFAULT_PRIORITY
    send_at: Annotated[
        Timestamp | None,
        Meta(description="Use RFC 3339 with an offset, such as 2030-01-31T12:00:00Z."),
    ] = None
    expires_at: Annotated[
        Timestamp | None,
        Meta(description="Use RFC 3339 with an offset, in the future and after send_at."),
    ] = None
    max_attempts: Annotated[
        Annotated[int, Meta(ge=1, le=100)] | None,
        Meta(description="Use 1 to 100, or leave it out for the service's default."),
    ] = None
    reference: Annotated[
        Annotated[str, Meta(min_length=1, max_length=255)] | None,
        Meta(
            description="Your own name for it, 1 to 255 characters; need not be unique.",
            extra_json_schema=WITHOUT_CONTROL,
        ),
    ] = None


decode_email = msgspec.json.Decoder(EmailPayload).decode
SEND_AT_AGE_MAX = timedelta(days=365)  # older is a mistake
EXPIRES_AT_MAX = timedelta(days=3650)


BODY = Body(NewNotification, open_at="/payload")


def read(body: bytes, settings: Settings, now: Callable[[], float] = time.time) -> NewNotification:
    """Turn a body into a row. Raises Problem, with as many faults as are cheap to find."""
    return BODY.read(body, lambda row: unstorable(body, row.payload) or faults(row, settings, now))


def faults(
    notification: NewNotification, settings: Settings, now: Callable[[], float]
) -> Iterator[Fault]:
    """Check what types cannot."""
    if notification.send_at is not None or notification.expires_at is not None:
        yield from time_faults(notification, settings, datetime.fromtimestamp(now(), UTC))
        to_utc(notification)
    if notification.reference is not None and CONTROL.search(notification.reference):
        yield Fault("invalid_reference", "Leave out control characters.", "/reference")
    yield from CHANNEL_FAULTS[notification.channel](notification, settings)


def time_faults(
    notification: NewNotification, settings: Settings, now: datetime
) -> Iterator[Fault]:
    """Check the order of the times. The database checks it again, by its own clock."""
    send_at, expires_at = notification.send_at or now, notification.expires_at
    if not now - SEND_AT_AGE_MAX <= send_at <= now + timedelta(days=settings.send_at_max_days):
        sentence = f"Use a time within {settings.send_at_max_days} days."
        yield Fault("invalid_send_at", sentence, "/send_at")
    elif expires_at is not None and not max(now, send_at) < expires_at <= now + EXPIRES_AT_MAX:
        sentence = "Use a time in the future, after send_at and within ten years."
        yield Fault("invalid_expires_at", sentence, "/expires_at")


def to_utc(notification: NewNotification) -> None:
    """Write the times in UTC: PostgreSQL takes no offset beyond 15:59. Beyond its years stays."""
    with suppress(OverflowError):  # refused already
        if notification.send_at is not None:
            notification.send_at = notification.send_at.astimezone(UTC)
        if notification.expires_at is not None:
            notification.expires_at = notification.expires_at.astimezone(UTC)


def webhook_faults(notification: NewNotification, settings: Settings) -> Iterator[Fault]:
    """Check the URL."""
    try:
        http_url(notification.recipient)
    except ValueError as error:
        yield Fault("invalid_recipient", str(error), "/recipient")


def email_faults(notification: NewNotification, settings: Settings) -> Iterator[Fault]:
    """Check the address, which is stored normalized, and the mail."""
    if settings.smtp_url is None:
        yield Fault("channel_not_configured", "This service sends no email: SMTP_URL is not set.",
                    "/channel")  # fmt: skip
        return
    try:
        notification.recipient = mailbox(notification.recipient)
    except ValueError as error:
        yield Fault("invalid_recipient", str(error), "/recipient")
    try:
        mail = decode_email(notification.payload)
    except msgspec.ValidationError:
        yield from member_faults(notification.payload, EmailPayload, "/payload")
        return
    for pointer, sentence in mail.faults():
        yield Fault("invalid_payload", sentence, f"/payload{pointer}")


def log_faults(notification: NewNotification, settings: Settings) -> Iterator[Fault]:
    """Check that the recipient is one line."""
    if CONTROL.search(notification.recipient):
        yield Fault("invalid_recipient", "Leave out control characters.", "/recipient")


CHANNEL_FAULTS = {
    Channel.WEBHOOK: webhook_faults,
    Channel.EMAIL: email_faults,
    Channel.LOG: log_faults,
}
