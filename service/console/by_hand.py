"""What would be sent of a notification, and the command that sends it by hand. Pure."""

import shlex
from datetime import UTC, datetime
from typing import Any

import msgspec

from service.channels import webhook
from service.channels.email import EmailPayload
from service.channels.message import message
from service.model.notification import Notification
from service.model.words import Channel
from service.text.addresses import address, sender
from service.text.printable import printable_lines

MADE_THEN = "(made when it is sent)"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ARGUMENT_MAX_CHARS = 100_000  # Linux takes no argument beyond 128 KiB
BODY_FILE = "payload.json"


def raw(notification: Notification) -> str:
    """Write the payload as it is sent; what would move or hide text as JSON's own escapes."""
    payload: Any = notification.payload
    return printable_lines(bytes(payload).decode())


def headers(notification: Notification, mail_from: str | None) -> list[str]:
    """Write the headers as they would be made, without a signature. Raises ValueError: why not.

    Empty: its channel has none. `mail_from`: MAIL_FROM, if this process has it.
    """
    if notification.channel == Channel.WEBHOOK:
        return webhook.headers(str(notification.id), MADE_THEN, MADE_THEN, notification.traceparent)
    if notification.channel != Channel.EMAIL:
        return []
    if not mail_from:
        raise ValueError("MAIL_FROM is not set for this process: only the workers know the sender.")
    return mail_headers(notification, mail_from)


def mail_headers(notification: Notification, mail_from: str) -> list[str]:
    """Write the headers of a mail, line by line. Raises ValueError for what would be none."""
    payload: Any = notification.payload
    mail = msgspec.json.decode(bytes(payload), type=EmailPayload)  # its error is a ValueError
    for pointer, sentence in mail.faults():
        raise ValueError(f"{pointer} {sentence}".strip())
    made = message(
        id_=str(notification.id),
        sender=sender(mail_from),
        to=address(notification.recipient),
        reply_to=None if mail.reply_to is None else address(mail.reply_to),
        payload=mail,
        now=EPOCH,
    )
    _, *others = made.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    return [f"Date: {MADE_THEN}", *others]


def command(notification: Notification, body: str) -> str:
    """Write the line for a shell that repeats it: curl for a webhook, else `notify send`.

    Whatever recipient and payload are, they stay one word each, and no option.
    """
    recipient = quoted(notification.recipient)
    is_long = len(body) > ARGUMENT_MAX_CHARS
    data = f"@{BODY_FILE}" if is_long else quoted(body)
    if notification.channel != Channel.WEBHOOK:
        return f"notify send {quoted(notification.channel)} -- {recipient} {data}"
    made = webhook.headers(str(notification.id), MADE_THEN, None, notification.traceparent)
    brought = [f"--header {quoted(h)}" for h in made if MADE_THEN not in h]
    how = "--data-binary" if is_long else "--data-raw"  # of which only the first reads a file
    parts = ["curl --globoff --request POST", *brought, f"{how} {data}", f"--url {recipient}"]
    return " \\\n  ".join(parts)


def quoted(text: str) -> str:
    """Write one word of a shell; with what would move or hide text as escapes (bash, zsh, ksh)."""
    if text.isprintable():
        return shlex.quote(text)
    return "$'" + "".join(map(escaped, text)) + "'"


def escaped(character: str) -> str:
    """Write a character within $'…'."""
    if character in "\\'":
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08x}"
