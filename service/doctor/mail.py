"""Whether the mail server lets us in."""

import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from service.config.mail_server import MailServer, mail_server, tls_context
from service.config.settings import Settings
from service.doctor.finding import Finding


def mail_finding(settings: Settings) -> Finding:
    """Log in to the mail server, and send nothing.

    Blocks the thread for SEND_DEADLINE_S, about: a worker has no more time either.
    """
    if settings.smtp_url is None:
        return Finding("mail", "not configured; set SMTP_URL and MAIL_FROM to send any")
    there, deadline_s = mail_server(settings.smtp_url), settings.send_deadline_s
    is_over = threading.Event()
    try:
        server = unconnected(there, deadline_s)
        with cut_off_after(deadline_s, server, is_over), server:
            return login_finding(there, server)
    except UnicodeError:
        return Finding("mail", "user or password is not ASCII", "see SMTP_URL")
    except (OSError, smtplib.SMTPException) as error:
        # smtplib raises its own where an answer does not come in time.
        if is_over.is_set() or TimeoutError in {type(error), type(error.__context__)}:
            return Finding(
                "mail", f"{there.host} does not let us in within {deadline_s:g} s",
                "see SMTP_URL; if the server is only slow, raise SEND_DEADLINE_S",
            )  # fmt: skip
        return Finding(
            "mail", f"{there.host}: {error}", "see SMTP_URL: host, port, user and password"
        )


def login_finding(there: MailServer, server: smtplib.SMTP) -> Finding:
    """Go as far as a worker does before it names a sender. Raises OSError or SMTPException."""
    code, greeting = server.connect(there.host, there.port)
    if code != 220:
        raise smtplib.SMTPConnectError(code, greeting)
    server.ehlo()
    if not there.is_smtps and server.has_extn("starttls"):
        server.starttls(context=tls_context())
    if there.tls_needed and not isinstance(server.sock, ssl.SSLSocket):
        return Finding(
            "mail", f"{there.host} offers no STARTTLS, and no password goes out in clear",
            "see SMTP_URL: smtps://…, or ?tls=optional behind it to send it nevertheless",
        )  # fmt: skip
    if there.user:
        server.login(there.user, there.password)
    server.noop()
    return Finding("mail", f"{there.host} lets us in")


def unconnected(there: MailServer, timeout_s: float) -> smtplib.SMTP:
    """Make a client that has not connected yet. `timeout_s`: of each step."""
    if there.is_smtps:
        server: smtplib.SMTP = smtplib.SMTP_SSL(timeout=timeout_s, context=tls_context())
    else:
        server = smtplib.SMTP(timeout=timeout_s)
    server._host = there.host  # type: ignore[attr-defined]  # TLS needs it; connect() leaves it out
    return server


@contextmanager
def cut_off_after(
    deadline_s: float, server: smtplib.SMTP, is_over: threading.Event
) -> Iterator[None]:
    """End the connection at the deadline: a timeout of smtplib begins anew with each byte."""

    def cut_off() -> None:
        is_over.set()
        if sock := server.sock:
            with suppress(OSError):  # it may have ended meanwhile
                sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(deadline_s, cut_off)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
