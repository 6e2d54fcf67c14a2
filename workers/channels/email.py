"""The channel `email`: one mail to one mailbox, handed to the SMTP server of SMTP_URL."""

from datetime import UTC, datetime
from urllib.parse import urlsplit

import msgspec
import pycurl

from service.addresses import Address, address, sender
from service.checks import EmailPayload
from service.config import Settings
from service.model import Outcome
from workers.channels.channel import Answer, Mail
from workers.channels.message import message
from workers.claim import Claim, Verdict
from workers.outcome import Meaning, by_class, excerpt

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

NOBODY = "nobody@localhost"  # never written: without MAIL_FROM there is no SMTP_URL

NOT_CONFIGURED = Verdict(
    outcome=Outcome.TEMPORARY, code="not_configured", excerpt="SMTP_URL is not set"
)

NO_SMTPUTF8 = Verdict(
    outcome=Outcome.PERMANENT,
    code="smtputf8_not_offered",
    excerpt="an address is beyond ASCII, and the SMTP server does not offer SMTPUTF8",
)


class EmailChannel:
    """RFC 5321 and 5322; libcurl speaks SMTP, this builds the message."""

    at_once_max = 8  # connections; mail servers turn away who opens dozens

    def __init__(self, settings: Settings) -> None:
        self.sender = sender(settings.mail_from or NOBODY)
        self.server = server_of(settings.smtp_url) if settings.smtp_url else None

    def destination(self, claim: Claim) -> str | None:
        """One server takes all mail."""
        return self.server

    def prepare(self, claim: Claim) -> Mail | Verdict:
        """Build the message; its Message-ID is the notification's id, the same on every attempt."""
        if not self.server:
            return NOT_CONFIGURED
        try:
            to = address(claim.recipient)
        except ValueError as error:
            return refused("invalid_recipient", error)
        try:
            payload = msgspec.json.decode(claim.payload, type=EmailPayload)
            return self.mail(claim.id, to, payload)
        except msgspec.MsgspecError as error:
            return refused("invalid_payload", error)
        except ValueError as error:
            return refused("invalid_header", error)

    def mail(self, id_: str, to: Address, payload: EmailPayload) -> Mail:
        """Lay out one mail. Raises ValueError for what would not be one."""
        for pointer, sentence in payload.faults():
            raise ValueError(f"{pointer} {sentence}".strip())
        body = message(
            id_=id_,
            sender=self.sender,
            to=to,
            reply_to=None if payload.reply_to is None else address(payload.reply_to),
            payload=payload,
            now=datetime.now(UTC),
        )
        return Mail(
            mail_from=self.sender.address.written,
            mail_to=to.written,
            body=body,
            needs_utf8=not body.isascii(),
        )

    def judge(self, answer: Answer) -> Verdict:
        """The server's last reply decides; an error without a reply tells how far it came."""
        if answer.lacks_utf8:
            return NO_SMTPUTF8
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


def refused(code: str, error: Exception) -> Verdict:
    """Say that no attempt can make this a mail."""
    return Verdict(outcome=Outcome.PERMANENT, code=code, excerpt=excerpt(str(error)))
