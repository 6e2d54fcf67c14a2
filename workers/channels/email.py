"""The channel `email`: one mail to one mailbox, handed to the SMTP server of SMTP_URL."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

import msgspec
import pycurl

from service.channels.email import EmailPayload
from service.channels.message import message
from service.config.mail_server import mail_server
from service.config.settings import Settings
from service.model.words import Outcome
from service.text.addresses import Address, address, sender
from workers.channels.channel import Answer, Mail, Phase
from workers.claim import Claim, Verdict
from workers.outcome import by_class, excerpt

# What a reply to RCPT, DATA or the message means; before them it is about the server and us.
REPLIES: dict[int | str, Outcome] = {
    "2xx": Outcome.SENT,
    421: Outcome.THROTTLED,  # the server closes the connection
    "4xx": Outcome.DEFERRED,  # a full mailbox, greylisting
    "5xx": Outcome.PERMANENT,
    # The login is the operator's, who will mend it; the mail is not to blame.
    530: Outcome.UNREACHABLE,
    534: Outcome.UNREACHABLE,
    535: Outcome.UNREACHABLE,
    538: Outcome.UNREACHABLE,
}
# RFC 1870 and 6531: MAIL tells the server the size, and that an address is beyond ASCII.
ABOUT_THIS_MAIL = re.compile(rb"^(552|5\d\d[ -]5\.(2\.3|3\.4|6\.\d))", re.MULTILINE)
ENHANCED = re.compile(rb"[245]\.\d{1,3}\.\d{1,3} ")  # RFC 2034: it may begin each line

DOMAINS_KNOWN_MAX = 4096  # about 1 MB

TOO_LARGE = 100  # libcurl's number; pycurl has no name for it

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
    TOO_LARGE: "no_service",  # a reply beyond 64 KiB without a line break
}
# What did not come in time, by the phase.
MISSING: dict[Phase, str] = {
    Phase.GREETING: "no greeting",
    Phase.HELLO: "no reply to EHLO",
    Phase.STARTTLS: "no TLS after STARTTLS",
    Phase.LOGIN: "no end of the login",
    Phase.MAIL: "no reply to MAIL",
    Phase.RCPT: "no reply to RCPT",
    Phase.DATA: "no reply to DATA or the message",
}
REFUSED_BY_LIBCURL = (pycurl.E_URL_MALFORMAT, pycurl.E_BAD_FUNCTION_ARGUMENT)

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

    at_once_max = 8  # connections; mail servers refuse clients that open dozens

    def __init__(self, settings: Settings, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._sender = sender(settings.mail_from or NOBODY)
        self._server = mail_server(settings.smtp_url).origin if settings.smtp_url else None

    def destination(self, claim: Claim) -> str | None:
        """Return the server, which takes all mail."""
        return self._server

    def domain(self, claim: Claim) -> str:
        """Return the recipient's domain, for which the server takes the mail, in one spelling."""
        return domain(claim.recipient.rpartition("@")[2])

    def prepare(self, claim: Claim) -> Mail | Verdict:
        """Build the message; its Message-ID is the notification's id, the same on every attempt."""
        if not self._server:
            return NOT_CONFIGURED
        try:
            to = address(claim.recipient)
        except ValueError as error:
            return permanent("invalid_recipient", error)
        try:
            payload = msgspec.json.decode(claim.payload, type=EmailPayload)
            return self._mail(claim.id, to, payload)
        except msgspec.MsgspecError as error:
            return permanent("invalid_payload", error)
        except ValueError as error:
            return permanent("invalid_header", error)

    def judge(self, answer: Answer) -> Verdict:
        """Judge by the server's last reply, or the error without one, and by the phase of the mail.

        libcurl takes only 250 for the end of a mail. But once the message was sent, its reply can
        only follow a 354, so that any 2yz means that the mail was taken.
        """
        if answer.lacks_utf8:
            return NO_SMTPUTF8
        if not answer.error:
            return replied(Outcome.SENT, answer)
        if answer.phase < Phase.RCPT:
            return judge_before_rcpt(answer)
        if answer.status >= 400 or (answer.handed_over and 200 <= answer.status < 300):
            return replied(by_class(answer.status, REPLIES), answer)
        return judge_error(answer, Outcome.UNKNOWN if answer.handed_over else Outcome.TEMPORARY)

    def _mail(self, id_: str, to: Address, payload: EmailPayload) -> Mail:
        """Lay out one mail. Raises ValueError for what would not be one."""
        for pointer, sentence in payload.faults():
            raise ValueError(f"{pointer} {sentence}".strip())
        body = message(
            id_=id_,
            sender=self._sender,
            to=to,
            reply_to=None if payload.reply_to is None else address(payload.reply_to),
            payload=payload,
            now=datetime.fromtimestamp(self._now(), UTC),
        )
        return Mail(
            mail_from=self._sender.address.written,
            mail_to=to.written,
            body=body,
            needs_utf8=not body.isascii(),
        )


def judge_before_rcpt(answer: Answer) -> Verdict:
    """Judge an answer that came before RCPT: any other mail would have got the same."""
    if answer.status == 421:
        return replied(Outcome.THROTTLED, answer)
    if answer.phase is Phase.MAIL and ABOUT_THIS_MAIL.search(answer.body):
        return replied(Outcome.PERMANENT, answer)
    if answer.status >= 400 and answer.phase > Phase.GREETING:
        return replied(Outcome.UNREACHABLE, answer)
    return judge_error(answer, Outcome.UNREACHABLE)


def replied(outcome: Outcome, answer: Answer) -> Verdict:
    """Make a verdict that quotes a reply."""
    return Verdict(
        outcome=outcome,
        code=str(answer.status),
        excerpt=excerpt(one_line(answer.body) or answer.error_text),
        of_domain=of_domain(outcome, answer),
    )


def judge_error(answer: Answer, outcome: Outcome) -> Verdict:
    """Make a verdict of an error. What libcurl refuses may be about this mail alone."""
    code = ERRORS.get(answer.error, f"curl_{answer.error}")
    if answer.error in REFUSED_BY_LIBCURL:
        outcome = Outcome.TEMPORARY
    text = answer.error_text
    if answer.error == pycurl.E_OPERATION_TIMEDOUT:
        text = f"{MISSING[answer.phase]}: {text}"
    reply = one_line(answer.body) if answer.status >= 400 else b""
    return Verdict(
        outcome=outcome,
        code=code,
        excerpt=excerpt(reply or text),
        of_domain=of_domain(outcome, answer),
    )


def one_line(reply: bytes) -> bytes:
    """Join the lines of a reply; the others' codes are left out where the first has the same."""
    first, *others = reply.split(b"\n")
    if first[3:4] != b"-":
        return reply
    enhanced = ENHANCED.match(first[4:])
    prefix = enhanced[0] if enhanced else b""
    words = [first[:3], first[4:].strip()]
    words += [(line[4:].strip() + b" ").removeprefix(prefix).strip() for line in others]
    return b" ".join(filter(None, words))


def of_domain(outcome: Outcome, answer: Answer) -> bool:
    """Return whether a verdict is about the mail's domain: a server may quote it from RCPT on."""
    return answer.phase >= Phase.RCPT and outcome is not Outcome.UNREACHABLE


@lru_cache(maxsize=DOMAINS_KNOWN_MAX)
def domain(text: str) -> str:
    """Spell a domain as it is sent: lower case, in ASCII, without the dot at its end."""
    try:
        return address(f"x@{text.rstrip('.')}").domain.lower()
    except ValueError:  # no mail can be sent to it
        return text.lower()


def permanent(code: str, error: Exception) -> Verdict:
    """Make the verdict that no attempt can make this a mail."""
    return Verdict(outcome=Outcome.PERMANENT, code=code, excerpt=excerpt(str(error)))
