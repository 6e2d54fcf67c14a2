"""What a channel is: two pure functions around a transfer that the sender makes."""

from enum import IntEnum, auto
from typing import Protocol

from msgspec import Struct

from workers.claim import Claim, Verdict
from workers.shortage import Short


class Post(Struct, frozen=True, kw_only=True, gc=False):
    """An HTTP POST to make."""

    url: str
    headers: list[str]
    body: bytes


class Mail(Struct, frozen=True, kw_only=True, gc=False):
    """A mail to hand to the SMTP server. `body`: the whole message, lines ending in CRLF.

    `needs_utf8`: an address is beyond ASCII, in the envelope or in a header (RFC 6531).
    """

    mail_from: str
    mail_to: str
    body: bytes
    needs_utf8: bool = False

    @property
    def envelope_is_ascii(self) -> bool:
        """Whether at most a header needs SMTPUTF8."""
        return self.mail_from.isascii() and self.mail_to.isascii()


class Line(Struct, frozen=True, gc=False):
    """A line to write to standard output."""

    text: str


class Play(Struct, frozen=True, gc=False):
    """An end that is played: nothing leaves this process. `takes_s`: how long it holds its slot."""

    verdict: Verdict
    takes_s: float


Transfer = Post | Mail | Line | Play

# Our numbers beside libcurl's. An HTTP/2 stream that was refused, or left out by a GOAWAY. It was
# not processed (RFC 9113 section 8.7), and libcurl cannot begin it anew: it has read its body.
REFUSED_STREAM = 1092
# Nothing was connected, as the address guard refuses every address of the receiver.
NOT_ALLOWED = 1093
# The egress proxy of WEBHOOK_PROXY_URL did not connect us to the receiver.
NO_WAY_OUT = 1094


class Phase(IntEnum):
    """How far a mail has come: what the server's last reply, or its silence, is about."""

    GREETING = auto()  # no command has been sent: it connects, or the server has not said hello
    HELLO = auto()
    STARTTLS = auto()
    LOGIN = auto()
    MAIL = auto()
    RCPT = auto()  # from here on it is about this mail
    DATA = auto()


class Answer(Struct, frozen=True, kw_only=True, gc=False):
    """What came back.

    `error`: libcurl's code, 0 for none; `error_text`: its words. `status`: of HTTP or SMTP, 0 for
    none. `body`: its first 4 KiB; for SMTP those of the last reply. `handed_over`: everything had
    been sent, so that a missing answer does not mean that nothing arrived. `phase`: of SMTP only.
    `lacks_utf8`: we ended it, as the mail needs SMTPUTF8 and the server does not offer it.
    `short_of`: nothing left this host, as it lacked this. `unresolved_s`: nothing left this host,
    and this is how long its name has been looked up without an answer. `is_late`: it must not
    begin any more, as it had waited for too long, and that says nothing about the receiver.
    """

    error: int = 0
    error_text: str = ""
    status: int = 0
    body: bytes = b""
    handed_over: bool = False
    retry_after_s: float | None = None
    phase: Phase = Phase.GREETING
    lacks_utf8: bool = False
    short_of: Short | None = None
    unresolved_s: float | None = None
    is_late: bool = False


class Channel(Protocol):
    """How one kind of notification is delivered. No I/O, no state that changes."""

    @property
    def at_once_max(self) -> int | None:
        """Transfers to one destination, per thread, shared by the domains behind it.

        None: as many as its share of the slots, and there are no domains behind it.
        """

    def destination(self, claim: Claim) -> str | None:
        """Return what gets a share of the slots and a breaker: `scheme://host:port`, or None."""

    def domain(self, claim: Claim) -> str:
        """Return the domain behind the destination, slow or not by itself (with `at_once_max`)."""

    def prepare(self, claim: Claim) -> Transfer | Verdict:
        """Return what to send; a Verdict: why it cannot be sent."""

    def judge(self, answer: Answer) -> Verdict:
        """Return the verdict that an answer means."""
