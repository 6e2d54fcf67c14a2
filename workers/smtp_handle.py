"""The easy handle for mails, with a connection and a thread of its own."""

import math
import socket
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import pycurl

from service.config.mail_server import mail_server
from service.config.settings import Settings
from workers.channels.channel import Answer, Mail, Phase
from workers.curl_handle import BODY_KEPT_BYTES, CONNECT_MAX_S, DROPPED, Handle, Opened
from workers.idle_socket import is_spoken_on, shut_down
from workers.shortage import short_of
from workers.smtp_features import SmtpFeatures

# By their first five bytes: a line of a login, which is base64, has no blank there.
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

    libcurl 8.23 puts a connection back into its pool after a timeout, and takes the late reply for
    the answer to the next mail. So each handle has its own pool, and is closed together with it.

    Threads: its own runs _live, and all that libcurl calls in it; the sender calls the rest, and
    between send and the callback nothing but give_up.
    """

    reusable_after_error = False

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._features = SmtpFeatures()
        self._needs_utf8 = self._lacks_utf8 = False
        self._goes_on = False  # the reply has more lines
        self._first_code = b""  # of the first reply to this mail
        self._thread: threading.Thread | None = None
        self._orders: SimpleQueue[bool] = SimpleQueue()  # to its thread; True: send, False: end
        self._is_cut_off = False  # set by the sender, read by its thread
        self._connecting: list[Opened] = []  # until the greeting
        self.easy.setopt(pycurl.OPENSOCKETFUNCTION, self._open)
        # To libcurl all that comes before MAIL is connecting, and it waits 60 s for one reply.
        self.easy.setopt(pycurl.CONNECTTIMEOUT_MS, int(settings.send_deadline_s * 1000))
        self.easy.setopt(pycurl.FTP_RESPONSE_TIMEOUT, math.ceil(settings.send_deadline_s))
        self.easy.setopt(pycurl.MAXCONNECTS, 1)  # a new one takes the place of the old one
        self.easy.setopt(pycurl.NOPROGRESS, 0)
        self.easy.setopt(pycurl.XFERINFOFUNCTION, self._ends_mail)
        self._pool = pycurl.CurlShare()
        self._pool.setopt(pycurl.SH_SHARE, pycurl.LOCK_DATA_CONNECT)
        self.easy.setopt(pycurl.SHARE, self._pool)
        self.easy.setopt(pycurl.PROTOCOLS, pycurl.PROTO_SMTP | pycurl.PROTO_SMTPS)
        known = mail_server(settings.smtp_url or "")
        self.easy.setopt(pycurl.URL, known.origin + known.path)
        if known.user is not None:
            self.easy.setopt(pycurl.USERNAME, known.user.encode())
            self.easy.setopt(pycurl.PASSWORD, known.password.encode())
        use_ssl = pycurl.USESSL_ALL if known.tls_needed else pycurl.USESSL_TRY
        self.easy.setopt(pycurl.USE_SSL, use_ssl)
        self.easy.setopt(pycurl.UPLOAD, 1)
        self.easy.setopt(pycurl.READFUNCTION, self._give)
        self.easy.setopt(pycurl.HEADERFUNCTION, self._reply)
        # Nothing else says which command a reply answers: libcurl's errors do not.
        self._phase = Phase.GREETING
        self.easy.setopt(pycurl.VERBOSE, 1)
        self.easy.setopt(pycurl.DEBUGFUNCTION, self._trace)

    def answer(self, error: int, error_text: str) -> Answer:
        """Return what came back. The message is handed over once its last byte was."""
        return Answer(
            error=self._alerted(error, error_text, is_out=self._phase is not Phase.STARTTLS),
            error_text=error_text,
            status=self.easy.getinfo(pycurl.RESPONSE_CODE),
            body=bytes(self._kept),
            handed_over=not self._unsent,
            phase=self._phase,
            lacks_utf8=self._lacks_utf8,
            short_of=short_of(self.easy, error, self._tried) if error and not self._kept else None,
        )

    def send(self, callback: Callable[[pycurl.Curl, int, str], None]) -> None:
        """Send the mail in the handle's thread, which calls back with how it ended.

        The thread lasts as long as the handle: to start one costs three times as much as a mail.
        Raises RuntimeError if the system has no thread to give.
        """
        if self._thread is None:
            thread = threading.Thread(target=self._live, args=[callback], name="mail", daemon=True)
            thread.start()
            self._thread = thread
        self._orders.put(True)

    def give_up(self) -> None:
        """Have the thread cut off its mail and close: libcurl may wait a second for the peer."""
        self._is_cut_off = True
        if self._thread is None:
            self._close()
        else:
            self._orders.put(False)

    def has_failed(self, answer: Answer) -> bool:
        """Return whether the server may be to blame; a mail that it refuses is no such case."""
        return answer.error != 0 and (answer.status < 400 or answer.status == 421)

    def was_dead(self, answer: Answer) -> bool:
        """Return whether no reply came, or 421 as the first one: the connection was too old."""
        if answer.error in (0, pycurl.E_OPERATION_TIMEDOUT) or not self._is_reused():
            return False
        return self._first_code == b"421" or (answer.error in DROPPED and not self._first_code)

    def _arm(self, mail: Mail) -> None:
        self._kept.clear()
        self._goes_on = False
        self._phase = Phase.GREETING
        self._first_code = b""
        self._unsent = mail.body
        self._needs_utf8, self._lacks_utf8 = mail.needs_utf8, False
        # libcurl asks for SMTPUTF8 by the envelope only; a header may need it too.
        option = " SMTPUTF8" if mail.needs_utf8 and mail.envelope_is_ascii else ""
        self.easy.setopt(pycurl.MAIL_FROM, f"<{mail.mail_from}>{option}".encode())
        self.easy.setopt(pycurl.MAIL_RCPT, [f"<{mail.mail_to}>".encode()])
        self.easy.setopt(pycurl.INFILESIZE_LARGE, len(mail.body))

    def _live(self, callback: Callable[[pycurl.Curl, int, str], None]) -> None:
        """Send one mail after another, then close the handle."""
        while self._orders.get():
            self._leave_spoken_on()
            error, text = self._perform()
            self._connecting.clear()
            if not self._is_cut_off:
                callback(self.easy, error, text)
        self._close()

    def _leave_spoken_on(self) -> None:
        """End the kept connection if the server said something on it: that answers no new mail.

        libcurl looks only at one that was idle for a second. What came over TLS together with the
        last reply cannot be seen.
        """
        fd = self.easy.getinfo(pycurl.ACTIVESOCKET)
        if fd != -1 and is_spoken_on(fd):
            shut_down(fd)

    def _perform(self) -> tuple[int, str]:
        """Send the mail, blocking; return libcurl's error (0: none) and its words."""
        try:
            self.easy.perform()
        except pycurl.error as error:
            return int(error.args[0]), str(error.args[1])
        except Exception as error:
            return -1, str(error)
        return 0, ""

    def _ends_mail(self, *_: object) -> int:
        """Return whether to cut off the mail (libcurl's callback, once a second at least)."""
        return int(self._is_cut_off)

    def _close(self) -> None:
        """Close the connection first: libcurl would wait up to a second for its peer to do it."""
        fd = self.easy.getinfo(pycurl.ACTIVESOCKET)
        if fd != -1:
            shut_down(fd)
        super()._close()
        self._pool.close()

    def _open(self, _purpose: int, address: Any) -> Opened | int:
        """Make a socket that gives up connecting after CONNECT_MAX_S (libcurl's callback)."""
        try:
            made = self._new_socket(address)
        except OSError:
            return int(pycurl.SOCKET_BAD)
        limit_patience(made, CONNECT_MAX_S)
        self._connecting.append(Opened(made))
        return self._connecting[-1]

    def _trace(self, kind: int, data: bytes) -> None:
        """Note the command that was sent. What libcurl passes here holds secrets: never log it."""
        if kind == pycurl.INFOTYPE_HEADER_OUT:
            self._phase = COMMANDS.get(data[:5], self._phase)

    def _reply(self, line: bytes) -> int | None:
        """Keep the server's last reply; end the transfer if the server lacks SMTPUTF8 for it."""
        for opened in self._connecting:  # from now on a pause is no sign that nobody is there
            limit_patience(opened.made, 0.0)
        self._connecting.clear()
        self._keep(line)
        self._first_code = self._first_code or line[:3]
        if self._features.hear(line) and self._needs_utf8 and not self._features.utf8:
            self._lacks_utf8 = True
            return 0
        return None

    def _keep(self, line: bytes) -> None:
        """Keep a line, beside the others of its reply; one of another code begins anew."""
        if not self._goes_on or self._kept[:3] != line[:3]:
            self._kept.clear()
        self._kept += line[: BODY_KEPT_BYTES - len(self._kept)]
        self._goes_on = line[3:4] == b"-"


def limit_patience(made: socket.socket, limit_s: float) -> None:
    """Have the system end a TCP connection whose peer is silent for so long; 0: by its own rules.

    It holds for the connection that is to be made, too.
    """
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(limit_s * 1000))
