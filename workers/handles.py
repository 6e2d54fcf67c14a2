"""libcurl's easy handles: set up once for HTTP or for SMTP, armed anew for each transfer."""

import os
import re
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

import certifi
import pycurl

from service.config.mail_server import mail_server
from service.config.settings import Settings
from workers.channels.channel import Answer, Mail, Phase, Post
from workers.doubts import LIFETIME_S
from workers.shortage import short_of
from workers.smtp_offers import SmtpOffers

BODY_KEPT_BYTES = 4096
BODY_READ_BYTES = 65536  # a longer answer costs its connection
DEAD_MAX_S = 1.0  # after which a used connection was served, even if no line of an answer came
CONNECT_MAX_S = 5.0
ADDRESSES_KEPT_S = 600  # by libcurl; it is told anew long before that

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


class Handle(ABC):
    """One easy handle and what it has read; reused, as creating one costs more than a transfer."""

    reusable_after_error = True

    def __init__(self, settings: Settings) -> None:
        self.easy = pycurl.Curl()
        self.read = bytearray()
        self.left = memoryview(b"")
        self.deadline_s = settings.send_deadline_s
        self.was_late = False
        self.age_max_s = LIFETIME_S
        set_common(self.easy, settings.send_deadline_s)

    @abstractmethod
    def arm(self, transfer: Any) -> None:
        """Set what is new in this transfer."""

    @abstractmethod
    def answer(self, error: int, error_text: str) -> Answer:
        """Say what came back."""

    @abstractmethod
    def has_failed(self, answer: Answer) -> bool:
        """Tell whether the fault may lie with where the connection leads."""

    @abstractmethod
    def was_dead(self, answer: Answer) -> bool:
        """Tell whether the transfer met a used connection that nobody served any more."""

    def begin(
        self, transfer: Any, left_s: float | None = None, age_max_s: int = LIFETIME_S
    ) -> None:
        """Set up a transfer. `left_s`: of its deadline; `age_max_s`: of a connection, 0: none."""
        if age_max_s != self.age_max_s:
            self.easy.setopt(pycurl.FRESH_CONNECT, age_max_s == 0)
            self.easy.setopt(pycurl.MAXLIFETIME_CONN, age_max_s or LIFETIME_S)
            self.age_max_s = age_max_s
        is_late = left_s is not None
        if is_late or self.was_late:
            self.easy.setopt(pycurl.TIMEOUT_MS, int((left_s or self.deadline_s) * 1000))
            self.was_late = is_late
        self.arm(transfer)

    def alerted(self, error: int, error_text: str, *, is_out: bool) -> int:
        """Tell a TLS alert from a lost connection. `is_out`: we have sent more than a handshake.

        Under TLS 1.3 a server that refuses us says so when our handshake is over; what libcurl
        sends then may fail before it reads that. On a connection used before, whatever ends it is
        a reason to begin anew.
        """
        if error not in (pycurl.E_RECV_ERROR, pycurl.E_SEND_ERROR) or self.is_reused():
            return error
        is_shaken = self.easy.getinfo(pycurl.APPCONNECT_TIME) > 0
        if ALERT.search(error_text) or (is_shaken and not is_out):
            return int(pycurl.E_SSL_CONNECT_ERROR)
        return error

    def set_addresses(self, name: str, port: int, addresses: tuple[str, ...]) -> None:
        """Tell libcurl what a name stands for: all handles of one thread know it from then on."""
        self.easy.setopt(pycurl.RESOLVE, [f"+{name}:{port}:{','.join(addresses)}"])

    def is_reused(self) -> bool:
        """Tell whether the transfer made no connection: it used one, or made none at all."""
        return not self.easy.getinfo(pycurl.NUM_CONNECTS)

    def was_refused(self, answer: Answer) -> bool:
        """Tell whether the receiver has said that it did not process the transfer."""
        return False

    def close(self) -> None:
        """Free what libcurl holds for it."""
        self.easy.close()

    def give_up(self) -> None:
        """Close it, as it is no longer needed."""
        self.close()

    def give(self, size: int) -> bytes:
        """Hand the next bytes of the body to libcurl."""
        part = bytes(self.left[:size])
        self.left = self.left[size:]
        return part


class HttpHandle(Handle):
    """A handle for POSTs."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.taken = 0  # bytes of the answer
        self.easy.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        self.easy.setopt(pycurl.FOLLOWLOCATION, 0)
        self.easy.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
        self.easy.setopt(pycurl.POST, 1)
        self.easy.setopt(pycurl.WRITEFUNCTION, self.take)
        # From memory (POSTFIELDS) libcurl would send a body again, up to five times, when a reused
        # connection dies without an answer. What it reads from us it cannot read again.
        self.easy.setopt(pycurl.READFUNCTION, self.give)

    def arm(self, post: Post) -> None:
        self.read.clear()
        self.taken = 0
        self.easy.setopt(pycurl.URL, post.url)
        self.easy.setopt(pycurl.HTTPHEADER, post.headers)
        self.easy.setopt(pycurl.POSTFIELDSIZE_LARGE, len(post.body))
        self.left = memoryview(post.body)

    def answer(self, error: int, error_text: str) -> Answer:
        """A transfer that we ended, having read enough, is no error."""
        info = self.easy.getinfo
        status = info(pycurl.RESPONSE_CODE)
        error = self.named(error, error_text) if error else 0
        return Answer(
            error=0 if self.taken >= BODY_READ_BYTES else error,
            error_text=error_text,
            status=status,
            body=bytes(self.read),
            handed_over=error not in TAKEN_BY_NOBODY and info(pycurl.REQUEST_SIZE) > 0,
            retry_after_s=info(pycurl.RETRY_AFTER) or None if status >= 400 else None,
            short_of=short_of(self.easy, error) if error and not status else None,
        )

    def named(self, error: int, error_text: str) -> int:
        """Name an error that libcurl gives in words only."""
        if error == pycurl.E_SEND_FAIL_REWIND and not self.is_reused():
            return REFUSED_STREAM
        if error == HTTP2_STREAM and LEFT_OUT.search(error_text):
            return REFUSED_STREAM
        is_out = self.easy.getinfo(pycurl.REQUEST_SIZE) > 0
        return self.alerted(error, error_text, is_out=is_out)

    def take(self, data: bytes) -> int | None:
        """Keep the first bytes of the answer; end the transfer when it is too long to be read."""
        self.taken += len(data)
        if len(self.read) < BODY_KEPT_BYTES:
            self.read += data[: BODY_KEPT_BYTES - len(self.read)]
        return None if self.taken < BODY_READ_BYTES else 0

    def has_failed(self, answer: Answer) -> bool:
        if answer.status < 200:
            return answer.error != 0
        return answer.status in (408, 421) or (answer.status >= 500 and not answer.retry_after_s)

    def was_dead(self, answer: Answer) -> bool:
        """Closed or reset at once, without an answer, or 421: not here (RFC 9110 section 15.5.20).

        libcurl does not tell half a status line from none. A receiver that began to answer may have
        taken the request, and whatever it begins slowly ends late.
        """
        if not answer.error:
            return answer.status == 421 and self.is_reused()
        return self.was_dropped(answer) and self.waited_s() < DEAD_MAX_S

    def was_dropped(self, answer: Answer) -> bool:
        """Tell whether a used connection ended before a line of the answer came.

        E_SEND_FAIL_REWIND is libcurl's own word for it: it would have begun anew by itself.
        """
        if answer.error == pycurl.E_SEND_FAIL_REWIND:
            return True
        is_silent = not self.easy.getinfo(pycurl.HEADER_SIZE)
        return answer.error in DROPPED and is_silent and self.is_reused()

    def waited_s(self) -> float:
        """Return how long the transfer took from where its connection was ready."""
        info = self.easy.getinfo
        return float(info(pycurl.TOTAL_TIME) - info(pycurl.PRETRANSFER_TIME))

    def was_refused(self, answer: Answer) -> bool:
        return answer.error == REFUSED_STREAM and not answer.status


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
        self.easy.setopt(pycurl.PROTOCOLS, pycurl.PROTO_SMTP | pycurl.PROTO_SMTPS)
        known = mail_server(settings.smtp_url or "")
        self.easy.setopt(pycurl.URL, known.origin + known.path)
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


ALERT = re.compile(r"\balert\b")
# libcurl's numbers; pycurl has no names for them.
HTTP2_STREAM = 92
# A stream that was refused, or left out by a GOAWAY: it was not processed (RFC 9113 section 8.7).
# libcurl would begin it anew, but has read its body from us.
REFUSED_STREAM = 1092
# … left out by a GOAWAY with an error. Those that libcurl itself finds, about an answer maybe, have
# other numbers, and are in the same words.
LEFT_OUT = re.compile(r"reset by curl \(error 0x(?:0|2|4|7|a|b|c|d) ")
TAKEN_BY_NOBODY = (0, pycurl.E_SSL_CONNECT_ERROR, REFUSED_STREAM)

DROPPED = (
    pycurl.E_SEND_ERROR,
    pycurl.E_RECV_ERROR,
    pycurl.E_GOT_NOTHING,
    pycurl.E_HTTP2,
)

HANDLES: dict[type, type[Handle]] = {Post: HttpHandle, Mail: SmtpHandle}


def set_common(easy: Any, deadline_s: float) -> None:
    """Set what HTTP and SMTP share."""
    easy.setopt(pycurl.NOSIGNAL, 1)  # signals belong to the main thread
    easy.setopt(pycurl.DNS_CACHE_TIMEOUT, ADDRESSES_KEPT_S)
    easy.setopt(pycurl.MAXLIFETIME_CONN, LIFETIME_S)
    easy.setopt(pycurl.PROXY, "")  # the environment must not route our traffic
    easy.setopt(pycurl.CAINFO, os.environ.get("SSL_CERT_FILE") or certifi.where())
    easy.setopt(pycurl.TIMEOUT_MS, int(deadline_s * 1000))
    easy.setopt(pycurl.CONNECTTIMEOUT_MS, int(min(deadline_s, CONNECT_MAX_S) * 1000))
