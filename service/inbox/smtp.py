"""The mail half of the inbox: takes any mail with any login, refuses what the address asks for."""

import asyncio
import logging
import re
from email.parser import BytesHeaderParser
from typing import cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from service.inbox.arrivals import UUID, Arrival, Arrivals
from service.inbox.lines import Line, Lines
from service.inbox.mails import decoded
from service.process.descriptors import share

MAIL_MAX_BYTES = 2_097_152  # more than any payload makes
CONVERSATIONS_MAX = 256
COMMAND_S = 60.0  # from one command to the next, the mail itself included
FULL = b"421 too many connections\r\n"
RECIPIENTS_MAX = 100
REFUSED = re.compile(r"([45]\d\d)@")


class SmtpInbox:
    """The server, and its own handler: aiosmtpd calls the methods named handle_*."""

    def __init__(self, lines: Lines, arrivals: Arrivals) -> None:
        self._lines = lines
        self._arrivals = arrivals
        self._conversations: set[Conversation] = set()
        self._conversations_max = share("inbox_smtp", CONVERSATIONS_MAX)
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen, and give the port. Raises OSError."""
        # aiosmtpd would log a traceback for what is not SMTP, and warn of every odd line.
        logging.getLogger("mail.log").setLevel(logging.CRITICAL)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._converse, host, port)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening, and hang up."""
        if self._server is None:
            return
        self._server.close()
        for conversation in self._conversations:
            conversation.hang_up()
        await self._server.wait_closed()

    def _converse(self) -> "Conversation":
        conversation = Conversation(
            self,
            hostname="inbox",
            ident="notify inbox",
            enable_SMTPUTF8=True,
            data_size_limit=MAIL_MAX_BYTES,
            authenticator=any_login,
            auth_require_tls=False,
            timeout=COMMAND_S,
            loop=asyncio.get_running_loop(),
        )
        conversation.peers, conversation.peers_max = self._conversations, self._conversations_max
        return conversation

    async def handle_RCPT(  # noqa: N802 (aiosmtpd's name)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient, or refuse it."""
        if refused := REFUSED.match(address):
            return f"{refused[1]} refused, as the address asks"
        if len(envelope.rcpt_tos) >= RECIPIENTS_MAX:
            return "452 too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 (aiosmtpd's name)
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Take a mail."""
        content = envelope.original_content or b""
        mail = BytesHeaderParser().parsebytes(content)  # a body may be nested without end
        head, _, body = content.partition(b"\r\n\r\n")
        message_id = decoded(mail, "Message-ID")
        for address in envelope.rcpt_tos:
            self._keep(address, message_id, content, mail.items())
        self._lines.show(
            Line(
                kind="mail",
                id=message_id,
                where="to " + ", ".join(envelope.rcpt_tos),
                size=len(content),
                note=f"subject: {decoded(mail, 'Subject') or '(none)'}",
                headers=f"From: {decoded(mail, 'From') or '(none)'}, "
                f"Content-Type: {mail.get_content_type()}",
                head=head.decode(errors="backslashreplace"),
                body=body.decode(errors="backslashreplace"),
            )
        )
        return "250 OK"

    def _keep(
        self, address: str, message_id: str | None, content: bytes, headers: list[tuple[str, str]]
    ) -> None:
        """Keep a mail for one of its recipients. Our own have the notification's id."""
        ours = UUID.search(message_id or "")
        self._arrivals.keep(
            Arrival(
                id=ours[0] if ours else message_id,
                channel="email",
                recipient=address,
                headers=[(name, str(value)) for name, value in headers],
                content=content,
                signature=None,
                answer=250,
            )
        )


class Conversation(SMTP):
    """One connection; it is in `peers` as long as it is open."""

    peers: "set[Conversation]"
    peers_max: int
    wire: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Join `peers`; hang up if they are too many."""
        self.peers.add(self)
        super().connection_made(transport)
        self.wire = cast("asyncio.Transport", transport)  # uvloop's class is not a subclass
        if len(self.peers) > self.peers_max:
            self.wire.write(FULL)
            self.wire.close()

    def connection_lost(self, error: Exception | None) -> None:
        """Leave `peers`."""
        self.peers.discard(self)
        super().connection_lost(error)

    def hang_up(self) -> None:
        """Close at once, whatever is still to be sent."""
        self.wire.abort()


def any_login(*_: object) -> AuthResult:
    """Let everybody in."""
    return AuthResult(success=True)
