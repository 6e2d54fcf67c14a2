"""The channel `email`: one mail to one mailbox, handed to the SMTP server of SMTP_URL."""

import re
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
from workers.channels.channel import Answer, Mail, Phase
from workers.claim import Claim, Verdict
from workers.outcome import by_class, excerpt

# 7bit: a body beyond ASCII travels as quoted-printable or base64, so that no server on the way
# needs 8BITMIME, and no line is longer than RFC 5322 allows.
POLICY = SMTP.clone(cte_type="7bit")
POLICY_UTF8 = POLICY.clone(utf8=True)  # RFC 6532, for a mailbox whose name is beyond ASCII

# What a reply to RCPT, DATA or the message means; before them it is about the server and us.
REPLIES: dict[int | str, Outcome] = {
    "2xx": Outcome.SENT,
    421: Outcome.THROTTLED,  # the server goes away
    "4xx": Outcome.DEFERRED,  # a full mailbox, greylisting
    "5xx": Outcome.PERMANENT,
    # The login is the operator's: it will be mended, and the mail is not to blame.
    530: Outcome.UNREACHABLE,
    534: Outcome.UNREACHABLE,
    535: Outcome.UNREACHABLE,
    538: Outcome.UNREACHABLE,
}
# RFC 1870 and 6531: with MAIL the server is told the size, and that a name is beyond ASCII.
ABOUT_THIS_MAIL = re.compile(rb"552|5\d\d[ -]5\.(2\.3|3\.4|6\.\d)")

ERRORS: dict[int, str] = {
    pycurl.E_COULDNT_RESOLVE_HOST: "dns",
    pycurl.E_COULDNT_CONNECT: "connect_failed",
    pycurl.E_SSL_CONNECT_ERROR: "tls",
    pycurl.E_USE_SSL_FAILED: "tls",
    pycurl.E_PEER_FAILED_VERIFICATION: "tls_certificate",
    pycurl.E_SSL_CACERT_BADFILE: "tls_ca_file",
    pycurl.E_LOGIN_DENIED: "login_denied",
    pycurl.E_REMOTE_ACCESS_DENIED: "no_service",
    pycurl.E_OPERATION_TIMEDOUT: "timeout",
    pycurl.E_SEND_ERROR: "reset",
    pycurl.E_RECV_ERROR: "reset",
    pycurl.E_GOT_NOTHING: "no_answer",
    pycurl.E_FTP_WEIRD_SERVER_REPLY: "no_service",  # libcurl's word for a reply it did not expect
}

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
            payload = msgspec.json.decode(claim.payload, type=EmailPayload)
            to = ascii_domain(mailbox(claim.recipient))
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
        """The server's last reply decides, by what it was the reply to; an error without one, too.

        libcurl takes 250 alone for the end of a mail. After the message's last byte the only reply
        before its own is 354, so that any 2yz means that it was taken.
        """
        if not answer.error:
            return replied(Outcome.SENT, answer)
        if answer.phase < Phase.RCPT:
            return judge_before_rcpt(answer)
        if answer.status >= 400 or (answer.handed_over and answer.status < 300):
            return replied(by_class(answer.status, REPLIES), answer)
        return judge_error(answer, Outcome.UNKNOWN if answer.handed_over else Outcome.TEMPORARY)


def judge_before_rcpt(answer: Answer) -> Verdict:
    """The server has not heard for whom it is: it turns us away, or is not there, for any mail."""
    if answer.status == 421:
        return replied(Outcome.THROTTLED, answer)
    if answer.phase is Phase.MAIL and ABOUT_THIS_MAIL.match(answer.body):
        return replied(Outcome.PERMANENT, answer)
    if answer.status >= 400 and answer.phase > Phase.GREETING:
        return replied(Outcome.UNREACHABLE, answer)
    return judge_error(answer, Outcome.UNREACHABLE)


def replied(outcome: Outcome, answer: Answer) -> Verdict:
    """Word a verdict that is a reply's."""
    text = answer.body or answer.error_text
    return Verdict(outcome=outcome, code=str(answer.status), excerpt=excerpt(text))


def judge_error(answer: Answer, outcome: Outcome) -> Verdict:
    """Word a verdict that is no reply's. What nobody listed may be about this mail alone."""
    code = ERRORS.get(answer.error)
    if code is None:
        code = f"curl_{answer.error}"
        outcome = Outcome.UNKNOWN if answer.handed_over else Outcome.TEMPORARY
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
