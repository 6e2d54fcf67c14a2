"""The channel `email`: one mail to one mailbox, handed to the SMTP server of SMTP_URL."""

from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr
from urllib.parse import urlsplit

import msgspec
import pycurl

from service.checks import EmailPayload, mailbox
from service.config import Settings
from service.model import Outcome
from workers.channels.channel import Answer, Mail
from workers.claim import Claim, Verdict
from workers.outcome import Meaning, by_class, excerpt

# 7bit: a body beyond ASCII travels as quoted-printable or base64, so that no server on the way
# needs 8BITMIME, and no line is longer than RFC 5322 allows.
POLICY = SMTP.clone(cte_type="7bit")
POLICY_UTF8 = POLICY.clone(utf8=True)  # RFC 6532, for a mailbox whose name is beyond ASCII

REPLIES: dict[int | str, Outcome] = {
    "2xx": Outcome.SENT,
    "4xx": Outcome.TEMPORARY,
    "5xx": Outcome.PERMANENT,
    # The login is the operator's: it will be mended, and the mail is not to blame.
    530: Outcome.TEMPORARY,
    534: Outcome.TEMPORARY,
    535: Outcome.TEMPORARY,
    538: Outcome.TEMPORARY,
}

ERRORS: dict[int, Meaning] = {
    pycurl.E_COULDNT_RESOLVE_HOST: (Outcome.TEMPORARY, "dns"),
    pycurl.E_COULDNT_CONNECT: (Outcome.TEMPORARY, "connect_failed"),
    pycurl.E_SSL_CONNECT_ERROR: (Outcome.TEMPORARY, "tls"),
    pycurl.E_USE_SSL_FAILED: (Outcome.TEMPORARY, "tls"),
    pycurl.E_PEER_FAILED_VERIFICATION: (Outcome.TEMPORARY, "tls_certificate"),
    pycurl.E_SSL_CACERT_BADFILE: (Outcome.TEMPORARY, "tls_ca_file"),
    pycurl.E_LOGIN_DENIED: (Outcome.TEMPORARY, "login_denied"),
    pycurl.E_OPERATION_TIMEDOUT: (Outcome.TEMPORARY, "timeout"),
    pycurl.E_SEND_ERROR: (Outcome.TEMPORARY, "reset"),
    pycurl.E_RECV_ERROR: (Outcome.TEMPORARY, "reset"),
    pycurl.E_GOT_NOTHING: (Outcome.TEMPORARY, "no_answer"),
    pycurl.E_FTP_WEIRD_SERVER_REPLY: (Outcome.TEMPORARY, "no_service"),
}

# A refusal in libcurl's words for a greeting or a login: the server turns us away, not this mail.
NO_SERVICE = pycurl.E_FTP_WEIRD_SERVER_REPLY

NOT_CONFIGURED = Verdict(
    outcome=Outcome.TEMPORARY, code="not_configured", excerpt="SMTP_URL is not set"
)


class EmailChannel:
    """RFC 5321 and 5322; libcurl speaks SMTP, this builds the message."""

    at_once_max = 8  # connections; mail servers turn away who opens dozens

    def __init__(self, settings: Settings) -> None:
        self.mail_from = settings.mail_from or ""
        self.envelope_from = parseaddr(self.mail_from)[1]
        self.domain = self.envelope_from.rpartition("@")[2] or "localhost"
        self.server = server_of(settings.smtp_url) if settings.smtp_url else None

    def destination(self, claim: Claim) -> str | None:
        """One server takes all mail."""
        return self.server

    def prepare(self, claim: Claim) -> Mail | Verdict:
        """Build the message; its Message-ID is the notification's id, the same on every attempt."""
        if not self.server:
            return NOT_CONFIGURED
        try:
            to = ascii_domain(mailbox(claim.recipient))
        except ValueError as error:
            return refused("invalid_recipient", error)
        try:
            payload = msgspec.json.decode(claim.payload, type=EmailPayload)
            body = self.message(claim.id, to, payload).as_bytes()
        except msgspec.MsgspecError as error:
            return refused("invalid_payload", error)
        except ValueError as error:
            return refused("invalid_header", error)
        return Mail(mail_from=self.envelope_from, mail_to=to, body=body)

    def message(self, notification_id: str, to: str, payload: EmailPayload) -> EmailMessage:
        """Lay out one mail. Raises ValueError for what would not be one header line each."""
        for pointer, sentence in payload.faults():
            raise ValueError(f"{pointer} {sentence}".strip())
        message = EmailMessage(policy=POLICY if to.isascii() else POLICY_UTF8)
        message["From"] = self.mail_from
        message["To"] = to
        message["Subject"] = payload.subject
        message["Date"] = datetime.now(UTC)
        message["Message-ID"] = f"<{notification_id}@{self.domain}>"
        if payload.reply_to is not None:
            message["Reply-To"] = payload.reply_to
        for name, value in (payload.headers or {}).items():
            message[name] = value
        add_bodies(message, payload)
        return message

    def judge(self, answer: Answer) -> Verdict:
        """The server's last reply decides; an error without a reply tells how far it came."""
        if not answer.error:
            return Verdict(
                outcome=Outcome.SENT, code=str(answer.status), excerpt=excerpt(answer.body)
            )
        if answer.status >= 400 and (answer.handed_over or answer.error != NO_SERVICE):
            return Verdict(
                outcome=by_class(answer.status, REPLIES),
                code=str(answer.status),
                excerpt=excerpt(answer.body or answer.error_text),
            )
        return judge_error(answer)


def judge_error(answer: Answer) -> Verdict:
    """No refusal came: once the whole message was out, nobody knows whether it was taken."""
    outcome, code = ERRORS.get(answer.error, (Outcome.TEMPORARY, f"curl_{answer.error}"))
    if answer.handed_over:
        outcome = Outcome.UNKNOWN
    reply = answer.body if answer.status >= 400 else b""
    return Verdict(outcome=outcome, code=code, excerpt=excerpt(reply or answer.error_text))


def server_of(smtp_url: str) -> str:
    """Return the URL without its user and password: the destination of every mail."""
    parts = urlsplit(smtp_url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def ascii_domain(address: str) -> str:
    """Spell the domain as DNS does: libcurl's build here knows no international names."""
    name, _, domain = address.rpartition("@")
    return f"{name}@{domain.encode('idna').decode()}"


def add_bodies(message: EmailMessage, payload: EmailPayload) -> None:
    """Set the text, the HTML, or both as alternatives, the richer one last."""
    if payload.text is not None:
        message.set_content(payload.text)
        if payload.html is not None:
            message.add_alternative(payload.html, subtype="html")
    elif payload.html is not None:
        message.set_content(payload.html, subtype="html")


def refused(code: str, error: Exception) -> Verdict:
    """Say that no attempt can make this a mail."""
    return Verdict(outcome=Outcome.PERMANENT, code=code, excerpt=excerpt(str(error)))
