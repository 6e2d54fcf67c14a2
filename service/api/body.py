"""The body of POST /notify, and every check of it that needs no database."""

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from service.api.decoding import Body, Timestamp, member_faults
from service.api.storable import unstorable
from service.channels.declaration import Declaration, Payload
from service.channels.table import CHANNELS
from service.channels.webhook import ADDRESS_NOT_ALLOWED, ADVICE
from service.channels.words import EITHER, payloads, recipients
from service.config.settings import Settings
from service.http.problems import Fault
from service.limits import (
    IDEMPOTENCY_KEY_MAX_CHARS,
    MAX_ATTEMPTS_MAX,
    RECIPIENT_MAX_CHARS,
    REFERENCE_MAX_CHARS,
)
from service.model.words import DEFAULT_PRIORITY, LANES, Channel
from service.text.checks import CONTROL, WITHOUT_CONTROL

EXAMPLE = CHANNELS[Channel.WEBHOOK].example


class NewNotification(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What to deliver, to whom, and when."""

    # The same struct is decoded from the body and encoded as the row; a description is also what
    # a client is told when the field is wrong.
    channel: Annotated[Channel, Meta(description=f"Use {EITHER}.")]
    recipient: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=RECIPIENT_MAX_CHARS,
            description=f"Use {recipients()}, up to {RECIPIENT_MAX_CHARS} characters.",
            examples=[EXAMPLE["recipient"]],
            extra_json_schema=WITHOUT_CONTROL,
        ),
    ]
    payload: Annotated[
        msgspec.Raw,
        Meta(
            description=f"Any JSON value: {payloads()}.",
            examples=[EXAMPLE["payload"]],
        ),
    ]
    priority: Annotated[
        Annotated[int, Meta(ge=LANES[0], le=LANES[-1])] | None,
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
        Annotated[int, Meta(ge=1, le=MAX_ATTEMPTS_MAX)] | None,
        Meta(
            description=f"Use 1 to {MAX_ATTEMPTS_MAX}, or leave it out for the service's default."
        ),
    ] = None
    reference: Annotated[
        Annotated[str, Meta(min_length=1, max_length=REFERENCE_MAX_CHARS)] | None,
        Meta(
            description=f"Your own name for it, 1 to {REFERENCE_MAX_CHARS} characters; "
            "need not be unique.",
            extra_json_schema=WITHOUT_CONTROL,
        ),
    ] = None
    idempotency_key: Annotated[
        Annotated[str, Meta(min_length=1, max_length=IDEMPOTENCY_KEY_MAX_CHARS)] | None,
        Meta(
            description="Your name for this request, as the header Idempotency-Key, 1 to "
            f"{IDEMPOTENCY_KEY_MAX_CHARS} characters: the same again counts once.",
            extra_json_schema=WITHOUT_CONTROL,
        ),
    ] = None


BODY = Body(NewNotification, open_at="/payload")
UNPRINTABLE = re.compile(f"{CONTROL.pattern}|[\ud800-\udfff]")  # a header may be no UTF-8
SEND_AT_AGE_MAX = timedelta(days=365)  # older is a mistake
EXPIRES_AT_MAX = timedelta(days=3650)
DECODERS = {
    channel.payload: msgspec.json.Decoder(channel.payload)
    for channel in CHANNELS.values()
    if channel.payload is not None
}


def read_notification(
    body: bytes, settings: Settings, now: Callable[[], float] = time.time, key: str | None = None
) -> NewNotification:
    """Turn a body into a row. Raises Problem, with as many faults as are cheap to find.

    `key`: what the header Idempotency-Key says.
    """
    return BODY.read(body, lambda notification: checked(body, notification, settings, now, key))


def checked(
    body: bytes,
    notification: NewNotification,
    settings: Settings,
    now: Callable[[], float],
    key: str | None = None,
) -> tuple[NewNotification, list[Fault]]:
    """Check what types cannot; returns the row that is stored if there is no fault."""
    if refused := unstorable(body, notification.payload):
        return notification, refused
    faults: list[Fault] = []
    if key is not None or notification.idempotency_key is not None:
        faults += key_faults(notification, key)
        notification.idempotency_key = notification.idempotency_key or key
    if notification.send_at is not None or notification.expires_at is not None:
        faults += time_faults(notification, settings, datetime.fromtimestamp(now(), UTC))
    if notification.reference is not None and CONTROL.search(notification.reference):
        faults.append(Fault("invalid_reference", "Leave out control characters.", "/reference"))
    channel = CHANNELS[notification.channel]
    if setting := missing_setting(channel, settings):
        sentence = f"This service sends no {notification.channel}: {setting} is not set."
        return notification, [*faults, Fault("channel_not_configured", sentence, "/channel")]
    recipient = notification.recipient
    try:
        recipient = channel.recipient(recipient)
    except ValueError as error:
        faults.append(Fault("invalid_recipient", str(error), "/recipient"))
    else:
        if notification.channel is Channel.WEBHOOK and settings.guard.refuses(recipient):
            faults.append(Fault(ADDRESS_NOT_ALLOWED, ADVICE, "/recipient"))
    if channel.payload is not None:
        faults += payload_faults(notification.payload, channel.payload)
    return (notification, faults) if faults else (stored(notification, recipient), [])


def time_faults(
    notification: NewNotification, settings: Settings, now: datetime
) -> Iterator[Fault]:
    """Check the order of the times. The database checks it again, by its own clock.

    Of a request with a key it alone looks for what is too old: it knows whether this is a
    repetition, which counts as what it was when it came first.
    """
    send_at, expires_at = notification.send_at or now, notification.expires_at
    has_key = notification.idempotency_key is not None
    is_old = not has_key and send_at < now - SEND_AT_AGE_MAX
    is_late = send_at > now + timedelta(days=settings.send_at_max_days)
    if is_old or is_late or not is_in_utc(send_at):
        sentence = f"Use a time within {settings.send_at_max_days} days."
        yield Fault("invalid_send_at", sentence, "/send_at")
    elif expires_at is not None and not (
        is_in_utc(expires_at)
        and (has_key or max(now, send_at) < expires_at <= now + EXPIRES_AT_MAX)
    ):
        sentence = "Use a time in the future, after send_at and within ten years."
        yield Fault("invalid_expires_at", sentence, "/expires_at")


def is_in_utc(at: datetime) -> bool:
    """Return whether UTC has a year for it: by its offset it may be of the year 0, or of 10000."""
    try:
        utc(at)
    except OverflowError:
        return False
    return True


def key_faults(notification: NewNotification, header: str | None) -> Iterator[Fault]:
    """Check the idempotency key of the header and of the body."""
    field = notification.idempotency_key
    if header is not None and field not in (None, header):
        sentence = "Give it as the header Idempotency-Key or as the field, not two different ones."
        yield Fault("invalid_idempotency_key", sentence, "/idempotency_key")
    key = header if header is not None else field or ""
    if not 1 <= len(key) <= IDEMPOTENCY_KEY_MAX_CHARS or UNPRINTABLE.search(key):
        sentence = f"Use 1 to {IDEMPOTENCY_KEY_MAX_CHARS} characters, without control characters."
        yield Fault(
            "invalid_idempotency_key", sentence, "" if field is None else "/idempotency_key"
        )


def missing_setting(channel: Declaration, settings: Settings) -> str | None:
    """Return the setting that the channel needs and that is not set, or None."""
    needs = channel.words.get("needs")
    return needs[0] if needs and getattr(settings, needs[0].lower()) is None else None


def payload_faults(payload: msgspec.Raw, kind: type[Payload]) -> Iterator[Fault]:
    """Check the payload of a channel that does not take any JSON value."""
    try:
        decoded = DECODERS[kind].decode(payload)
    except msgspec.ValidationError:
        yield from member_faults(payload, kind, "/payload")
        return
    for pointer, sentence in decoded.faults():
        yield Fault("invalid_payload", sentence, f"/payload{pointer}")


def stored(notification: NewNotification, recipient: str) -> NewNotification:
    """Return the row as it is stored, its times in UTC: PostgreSQL takes no offset beyond 15:59."""
    send_at, expires_at = notification.send_at, notification.expires_at
    if recipient == notification.recipient and send_at is None and expires_at is None:
        return notification
    return msgspec.structs.replace(
        notification, recipient=recipient, send_at=utc(send_at), expires_at=utc(expires_at)
    )


def utc(at: datetime | None) -> datetime | None:
    """Write a time in UTC. Raises OverflowError; see is_in_utc."""
    return None if at is None else at.astimezone(UTC)
