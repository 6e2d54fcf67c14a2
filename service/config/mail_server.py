"""What SMTP_URL says of the mail server."""

import ssl
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from service.names.loopback import is_loopback


@dataclass(frozen=True, slots=True)
class MailServer:
    """`origin`: scheme, host and port as they are written, without the login.

    `user` None: no login. `tls_needed`: smtps, or nothing is sent without STARTTLS.
    """

    origin: str
    path: str
    host: str
    port: int
    user: str | None
    password: str = field(repr=False)
    is_smtps: bool
    tls_needed: bool


def mail_server(url: str) -> MailServer:
    """Read an SMTP_URL. Without TLS a password goes to this machine only, unless ?tls=optional."""
    parts = urlsplit(url)
    is_smtps = parts.scheme.lower() == "smtps"
    host = parts.hostname or "localhost"
    is_optional = parts.username is None or is_loopback(host) or parts.query == "tls=optional"
    return MailServer(
        origin=f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
        path=parts.path,
        host=host,
        port=parts.port or (465 if is_smtps else 25),
        user=None if parts.username is None else unquote(parts.username),
        password=unquote(parts.password or ""),
        is_smtps=is_smtps,
        tls_needed=is_smtps or not is_optional,
    )


def tls_context() -> ssl.SSLContext:
    """Judge certificates as libcurl does, which sends: Python 3.13 is stricter by default."""
    context = ssl.create_default_context()
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
