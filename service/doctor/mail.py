"""Whether the mail server lets us in."""

import smtplib
import ssl

from service.config.mail_server import MailServer, mail_server, tls_context
from service.config.settings import Settings
from service.doctor.finding import Finding

SMTP_WAIT_S = 5.0


def mail_finding(settings: Settings) -> Finding:
    """Log in to the mail server, and send nothing. Blocks the thread for some seconds at most."""
    if settings.smtp_url is None:
        return Finding("mail", "not configured; set SMTP_URL and MAIL_FROM to send any")
    there = mail_server(settings.smtp_url)
    try:
        with connected(there) as server:
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
    except UnicodeError:
        return Finding("mail", "user or password is not ASCII", "see SMTP_URL")
    except (OSError, smtplib.SMTPException) as error:
        return Finding(
            "mail", f"{there.host}: {error}", "see SMTP_URL: host, port, user and password"
        )
    return Finding("mail", f"{there.host} lets us in")


def connected(there: MailServer) -> smtplib.SMTP:
    """Connect. Raises OSError or SMTPException."""
    if there.is_smtps:
        return smtplib.SMTP_SSL(there.host, there.port, timeout=SMTP_WAIT_S, context=tls_context())
    return smtplib.SMTP(there.host, there.port, timeout=SMTP_WAIT_S)
