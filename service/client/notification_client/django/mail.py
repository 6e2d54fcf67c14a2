"""What a mail of Django's becomes: one notification for each recipient, or an error.

Carried: subject, the text and the HTML, one reply_to, headers that the service lets a sender set.
Not carried, and no loss: the display names of recipients and of reply_to, the mail's own encoding
(all is UTF-8), and that others have got it as well: each recipient is alone in To. Everything else
is named in NotCarried.
"""

import re
from collections.abc import Iterator, Mapping
from email.utils import getaddresses
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.message import BadHeaderError

from notification_client import NotificationError

# As service/channels/email.py has it. The others are the service's: To, Date, Message-ID.
HEADER_NAME = re.compile(
    r"(?:(?:X|List)-[A-Za-z0-9-]+|Auto-Submitted|Precedence|Importance|Priority|Sensitivity"
    r"|In-Reply-To|References|Keywords|Comments|Organization|Feedback-ID)",
    re.IGNORECASE | re.ASCII,
)
BODIES = {"text/plain": "text", "text/html": "html"}


class NotCarried(NotificationError, ValueError):
    """A mail has what the service would have to leave out. `what` names each of it."""

    def __init__(self, what: list[str]) -> None:
        super().__init__(f"this mail cannot be sent whole; not carried: {'; '.join(what)}")
        self.what = tuple(what)


def notifications(message: EmailMessage) -> list[dict[str, Any]]:
    """Return what send_many() takes; nothing for a mail to nobody.

    A mail may say more of itself: `message.notify = {"reference": "order-42", "priority": 0}`, with
    the options of send(). Raises NotCarried; ValueError for an address that is none, and
    BadHeaderError for a line break in a header.
    """
    recipients = list(dict.fromkeys(mailbox(recipient) for recipient in message.recipients()))
    if not recipients:
        return []
    options = dict(getattr(message, "notify", None) or {})
    if what := list(not_carried(message, options, len(recipients))):
        raise NotCarried(what)
    mail = {"channel": "email", "payload": payload(message)}
    return [options | mail | {"recipient": recipient} for recipient in recipients]


def payload(message: EmailMessage) -> dict[str, Any]:
    """Lay out the mail. Lazy texts become what they are in the language of this moment."""
    members: dict[str, Any] = {"subject": line("Subject", message.subject)}
    members |= {BODIES[kind]: content for kind, content in bodies(message)}
    if replies := reply_to(message):
        members["reply_to"] = mailbox(replies[0])
    if headers := own_headers(message):
        members["headers"] = {name: line(name, value) for name, value in headers.items()}
    return members


def reply_to(message: EmailMessage) -> list[object]:
    """Give where answers go: a header takes the place of the argument, as in Django."""
    said = [value for name, value in message.extra_headers.items() if is_reply_to(name)]
    return said or list(message.reply_to)


def own_headers(message: EmailMessage) -> dict[str, object]:
    """Give the headers that are no arguments."""
    headers = message.extra_headers.items()
    return {str(name): value for name, value in headers if not is_reply_to(name)}


def is_reply_to(name: object) -> bool:
    return str(name).lower() == "reply-to"


def bodies(message: EmailMessage) -> Iterator[tuple[str, str]]:
    """Give (media type, content) of the body and of its alternatives. An empty body is none."""
    alternatives = getattr(message, "alternatives", None) or ()
    if message.body or not alternatives:
        yield f"text/{message.content_subtype}", body(message.body)
    for content, kind in alternatives:
        yield str(kind), body(content)


def body(content: object) -> str:
    """Read a text, which may be lazy. Raises TypeError for bytes, whose str() is Python source."""
    if isinstance(content, bytes):
        raise TypeError("the body of a mail is text, not bytes")
    return str(content)


def not_carried(
    message: EmailMessage, options: Mapping[str, Any], recipients: int
) -> Iterator[str]:
    """Name all that a payload of channel `email` has no place for."""
    if getattr(type(message), "message", None) is not EmailMessage.message:
        yield f"what {type(message).__name__}.message() builds by itself"
    if not is_from_us(message.from_email):
        yield (
            f"from_email {message.from_email}: all mail comes from the service's MAIL_FROM; leave"
            " it out, or enter it in NOTIFY_FROM_EMAILS"
        )
    if message.attachments:
        yield f"attachments ({', '.join(map(name_of, message.attachments))})"
    yield from strange_bodies(message)
    if len(replies := reply_to(message)) > 1:
        yield f"more than one reply_to ({', '.join(map(str, replies))})"
    for name in own_headers(message):
        if not HEADER_NAME.fullmatch(name):
            yield f"header {name}"
    if options.get("idempotency_key") is not None and recipients > 1:
        yield "one idempotency_key for several recipients"


def strange_bodies(message: EmailMessage) -> Iterator[str]:
    """Name alternatives beyond one text and one HTML."""
    seen: set[str] = set()
    for kind, _ in bodies(message):
        if kind not in BODIES:
            yield f"a body of {kind}"
        elif kind in seen:
            yield f"a second body of {kind}"
        seen.add(kind)


def is_from_us(from_email: object) -> bool:
    """Return whether MAIL_FROM may stand for this sender."""
    ours = [settings.DEFAULT_FROM_EMAIL, settings.SERVER_EMAIL]
    ours += getattr(settings, "NOTIFY_FROM_EMAILS", ())
    return not from_email or any(same(from_email, own) for own in ours if own)


def same(one: object, other: object) -> bool:
    """Compare two senders by their address, in any case."""
    return mailbox(one).lower() == mailbox(other).lower()


def name_of(attachment: Any) -> str:
    """Name an attachment: a (filename, content, mimetype), or a MIME part."""
    if isinstance(attachment, tuple):
        return str(attachment[0] or attachment[2] or "without a name")
    return str(attachment.get_filename() or attachment.get_content_type())


def mailbox(address: object) -> str:
    """Take name@domain out of an address such as "Ada <ada@example.org>".

    What is no mailbox of the service's is refused by the database. Raises ValueError for several in
    one text.
    """
    text = line("address", address)
    found = getaddresses([text])
    if len([1 for _, mailbox in found if "@" in mailbox]) > 1:
        raise ValueError(f"not one mail address: {text!r}")
    return (found[0][1] if len(found) == 1 else "") or text


def line(name: object, value: object) -> str:
    """Read a header's value. Raises BadHeaderError, as Django does, for one with a line break."""
    text = str(value)
    if "\n" in text or "\r" in text:
        raise BadHeaderError(f"Header values can't contain newlines (got {text!r} for {name})")
    return text
