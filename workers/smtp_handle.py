"""The easy handle for mails: a connection to the mail server, and a thread, of its own."""

import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from urllib.parse import urlsplit

import pycurl

from service.config import Settings
from service.mail_server import mail_server
from workers.channels.channel import Answer, Mail, Phase
from workers.handle import BODY_KEPT_BYTES, DROPPED, Handle
from workers.shortage import short_of
from workers.smtp_offers import SmtpOffers

# By their first five bytes: a line of a login, in base64, has no blank there.
COMMANDS = {
    b"EHLO ": Phase.HELLO,
    b"HELO ": Phase.HELLO,
    b"START": Phase.STARTTLS,
    b"AUTH ": Phase.LOGIN,
    b"MAIL ": Phase.MAIL,
    b"RCPT ": Phase.RCPT,
    b"DATA\r": Phase.DATA,
}


class SmtpHandle(Handle):
    """A handle for mails, with a connection of its own that ends with the first error.

    libcurl 8.23 puts a connection back into its pool after a timeout; the late reply is then taken
    for an answer to the next mail. So each handle has its own pool, and dies with it.
    """

    reusable_after_error = False

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.offers = SmtpOffers()
        self.needs_utf8 = self.lacks_utf8 = False
        self.first_code = b""  # of the first reply to this mail
        self.thread: threading.Thread | None = None
        self.orders: SimpleQueue[bool] = SimpleQueue()  # to its thread: send, or end
        self.is_cut_off = False  # any thread may set it
        self.easy.setopt(pycurl.MAXCONNECTS, 1)  # a fresh one takes the place of the one before
        self.easy.setopt(pycurl.NOPROGRESS, 0)
        self.easy.setopt(pycurl.XFERINFOFUNCTION, self.goes_on)
        self.pool = pycurl.CurlShare()
        self.pool.setopt(pycurl.SH_SHARE, pycurl.LOCK_DATA_CONNECT)
        self.easy.setopt(pycurl.SHARE, self.pool)
        parts = urlsplit(settings.smtp_url or "")
        self.easy.setopt(pycurl.PROTOCOLS, pycurl.PROTO_SMTP | pycurl.PROTO_SMTPS)
        server = parts.netloc.rpartition("@")[2]
        self.easy.setopt(pycurl.URL, f"{parts.scheme}://{server}{parts.path}")
        known = mail_server(settings.smtp_url or "")
        if known.user is not None:
            self.easy.setopt(pycurl.USERNAME, known.user.encode())
            self.easy.setopt(pycurl.PASSWORD, known.password.encode())
        use_ssl = pycurl.USESSL_ALL if known.tls_needed else pycurl.USESSL_TRY
        self.easy.setopt(pycurl.USE_SSL, use_ssl)
        self.easy.setopt(pycurl.UPLOAD, 1)
        self.easy.setopt(pycurl.READFUNCTION, self.give)
        self.easy.setopt(pycurl.HEADERFUNCTION, self.reply)
        # Which command a reply answers is told nowhere else: not by libcurl's errors.
        self.phase = Phase.GREETING
        self.easy.setopt(pycurl.VERBOSE, 1)
        self.easy.setopt(pycurl.DEBUGFUNCTION, self.trace)

    def arm(self, mail: Mail) -> None:
        self.read.clear()
        self.phase = Phase.GREETING
        self.first_code = b""
        self.left = memoryview(mail.body)
        self.needs_utf8, self.lacks_utf8 = mail.needs_utf8, False
        # libcurl looks at the envelope only; a header may need it too.
        asked = " SMTPUTF8" if mail.needs_utf8 and mail.envelope_is_ascii else ""
        self.easy.setopt(pycurl.MAIL_FROM, f"<{mail.mail_from}>{asked}".encode())
        self.easy.setopt(pycurl.MAIL_RCPT, [f"<{mail.mail_to}>".encode()])
        self.easy.setopt(pycurl.INFILESIZE_LARGE, len(mail.body))

    def answer(self, error: int, error_text: str) -> Answer:
        """The message is handed over once its last byte is."""
        return Answer(
            error=self.alerted(error, error_text, is_out=self.phase is not Phase.STARTTLS),
            error_text=error_text,
            status=self.easy.getinfo(pycurl.RESPONSE_CODE),
            body=bytes(self.read),
            handed_over=not self.left,
            phase=self.phase,
            lacks_utf8=self.lacks_utf8,
            short_of=short_of(self.easy, error) if error and not self.read else None,
        )

    def send(self, tell: Callable[[pycurl.Curl, int, str], None]) -> None:
        """Send the mail in a thread that lasts as long as the handle, which tells how it ended.

        To start one costs three times as much as a mail. RuntimeError: the system has none to give.
        """
        if self.thread is None:
            thread = threading.Thread(target=self.live, args=[tell], name="mail", daemon=True)
            thread.start()
            self.thread = thread
        self.orders.put(True)

    def live(self, tell: Callable[[pycurl.Curl, int, str], None]) -> None:
        """Send one mail after the other, then close the handle (its thread's life)."""
        while self.orders.get():
            error, text = self.perform()
            if not self.is_cut_off:
                tell(self.easy, error, text)
        self.close()

    def give_up(self) -> None:
        """Let its thread cut off what runs, and close it: libcurl may wait a second for a peer."""
        self.is_cut_off = True
        if self.thread is None:
            self.close()
        else:
            self.orders.put(False)

    def perform(self) -> tuple[int, str]:
        """Send the mail; say what error came of it, if any. Blocks until its deadline."""
        try:
            self.easy.perform()
        except pycurl.error as error:
            return int(error.args[0]), str(error.args[1])
        except Exception as error:
            return -1, str(error)
        return 0, ""

    def goes_on(self, *_: object) -> int:
        """Say whether the mail is still wanted (libcurl's callback, once a second at least)."""
        return int(self.is_cut_off)

    def has_failed(self, answer: Answer) -> bool:
        """A mail that is refused is no such case."""
        return answer.error != 0 and (answer.status < 400 or answer.status == 421)

    def was_dead(self, answer: Answer) -> bool:
        """Closed or reset before a reply came, or 421 for a first one: it had grown too old."""
        if answer.error in (0, pycurl.E_OPERATION_TIMEDOUT) or not self.is_reused():
            return False
        return self.first_code == b"421" or (answer.error in DROPPED and not self.first_code)

    def close(self) -> None:
        """Close the connection too.

        libcurl would wait up to a second for its peer, and all transfers of this thread with it.
        """
        fd = self.easy.getinfo(pycurl.ACTIVESOCKET)
        if fd != -1:
            with suppress(OSError), socket.socket(fileno=os.dup(fd)) as connection:
                connection.shutdown(socket.SHUT_RDWR)
        super().close()
        self.pool.close()

    def trace(self, kind: int, data: bytes) -> None:
        """Note the command that was sent; nothing of what libcurl tells here may be logged."""
        if kind == pycurl.INFOTYPE_HEADER_OUT:
            self.phase = COMMANDS.get(data[:5], self.phase)

    def reply(self, line: bytes) -> int | None:
        """Keep the server's last reply; end the transfer when the mail is not for this server."""
        self.read[:] = line[:BODY_KEPT_BYTES]
        self.first_code = self.first_code or line[:3]
        if self.offers.hear(line) and self.needs_utf8 and not self.offers.utf8:
            self.lacks_utf8 = True
            return 0
        return None
