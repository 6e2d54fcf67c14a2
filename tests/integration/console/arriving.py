"""What comes to an inbox: a webhook, or a mail whose source may be anything."""

import smtplib
from email.message import EmailMessage
from email.policy import SMTP
from http.client import HTTPConnection

from service.inbox.inbox import Inbox
from tests.waiting import LIMIT_S


def hook(inbox: Inbox, body: bytes = b"{}", path: str = "/hook", **headers: str) -> None:
    """Send a webhook to the inbox."""
    connection = HTTPConnection("127.0.0.1", inbox.http_port, timeout=LIMIT_S)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("POST", path, body, names)
    connection.getresponse().read()
    connection.close()


def mail(inbox: Inbox, source: bytes) -> None:
    """Send a mail to the inbox."""
    with smtplib.SMTP("127.0.0.1", inbox.smtp_port, timeout=LIMIT_S) as client:
        client.sendmail("a@example.org", ["b@example.org"], source)


def written(html: str | None = None, text: str = "plain text", subject: str = "Hello") -> bytes:
    """Write a mail."""
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, "a@example.org", "b@example.org"
    message.set_content(text, cte="base64")
    if html is not None:
        message.add_alternative(html, subtype="html", cte="base64")
    return message.as_bytes(policy=SMTP)
