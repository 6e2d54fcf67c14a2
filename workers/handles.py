"""libcurl's easy handles: set up once for HTTP or for SMTP, armed anew for each transfer."""

import os
from abc import ABC, abstractmethod
from typing import Any
from urllib.parse import unquote, urlsplit

import certifi
import pycurl

from service.config import Settings
from service.mail_server import mail_server
from workers.channels.channel import Answer, Mail, Post

BODY_MAX_BYTES = 4096
CONNECT_MAX_S = 5.0


class Handle(ABC):
    """One easy handle and what it has read; reused, as creating one costs more than a transfer."""

    reusable_after_error = True

    def __init__(self, settings: Settings) -> None:
        self.easy = pycurl.Curl()
        self.read = bytearray()
        self.full = False
        self.left = memoryview(b"")
        set_common(self.easy, settings.send_deadline_s)

    @abstractmethod
    def arm(self, transfer: Any) -> None:
        """Set what is new in this transfer."""

    @abstractmethod
    def answer(self, error: int, error_text: str) -> Answer:
        """Say what came back."""

    def close(self) -> None:
        """Free what libcurl holds for it."""
        self.easy.close()

    def give(self, size: int) -> bytes:
        """Hand the next bytes of the body to libcurl."""
        part = bytes(self.left[:size])
        self.left = self.left[size:]
        return part

    def take(self, data: bytes) -> int | None:
        """Keep the first bytes of the answer; end the transfer when there are enough."""
        self.read += data
        if len(self.read) < BODY_MAX_BYTES:
            return None
        del self.read[BODY_MAX_BYTES:]
        self.full = True
        return 0


class HttpHandle(Handle):
    """A handle for POSTs."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
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
        self.full = False
        self.easy.setopt(pycurl.URL, post.url)
        self.easy.setopt(pycurl.HTTPHEADER, post.headers)
        self.easy.setopt(pycurl.POSTFIELDSIZE_LARGE, len(post.body))
        self.left = memoryview(post.body)

    def answer(self, error: int, error_text: str) -> Answer:
        """A transfer that we ended, having read enough, is no error."""
        info = self.easy.getinfo
        status = info(pycurl.RESPONSE_CODE)
        return Answer(
            error=0 if self.full else error,
            error_text=error_text,
            status=status,
            body=bytes(self.read),
            handed_over=error != 0 and info(pycurl.REQUEST_SIZE) > 0,
            retry_after_s=info(pycurl.RETRY_AFTER) or None if status >= 400 else None,
        )


class SmtpHandle(Handle):
    """A handle for mails, with a connection of its own that ends with the first error.

    libcurl 8.23 puts a connection back into its pool after a timeout; the late reply is then taken
    for an answer to the next mail. So each handle has its own pool, and dies with it.
    """

    reusable_after_error = False

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.pool = pycurl.CurlShare()
        self.pool.setopt(pycurl.SH_SHARE, pycurl.LOCK_DATA_CONNECT)
        self.easy.setopt(pycurl.SHARE, self.pool)
        parts = urlsplit(settings.smtp_url or "")
        self.easy.setopt(pycurl.PROTOCOLS, pycurl.PROTO_SMTP | pycurl.PROTO_SMTPS)
        server = parts.netloc.rpartition("@")[2]
        self.easy.setopt(pycurl.URL, f"{parts.scheme}://{server}{parts.path}")
        if parts.username is not None:
            self.easy.setopt(pycurl.USERNAME, unquote(parts.username))
            self.easy.setopt(pycurl.PASSWORD, unquote(parts.password or ""))
        needed = mail_server(settings.smtp_url or "").tls_needed
        self.easy.setopt(pycurl.USE_SSL, pycurl.USESSL_ALL if needed else pycurl.USESSL_TRY)
        self.easy.setopt(pycurl.UPLOAD, 1)
        self.easy.setopt(pycurl.READFUNCTION, self.give)
        self.easy.setopt(pycurl.HEADERFUNCTION, self.reply)

    def arm(self, mail: Mail) -> None:
        self.read.clear()
        self.left = memoryview(mail.body)
        self.easy.setopt(pycurl.MAIL_FROM, f"<{mail.mail_from}>".encode())
        self.easy.setopt(pycurl.MAIL_RCPT, [f"<{mail.mail_to}>".encode()])
        self.easy.setopt(pycurl.INFILESIZE_LARGE, len(mail.body))

    def answer(self, error: int, error_text: str) -> Answer:
        """The message is handed over once its last byte is."""
        return Answer(
            error=error,
            error_text=error_text,
            status=self.easy.getinfo(pycurl.RESPONSE_CODE),
            body=bytes(self.read),
            handed_over=not self.left,
        )

    def close(self) -> None:
        """Close the connection too."""
        super().close()
        self.pool.close()

    def reply(self, line: bytes) -> None:
        """Keep the server's last reply."""
        self.read[:] = line[:BODY_MAX_BYTES]


HANDLES: dict[type, type[Handle]] = {Post: HttpHandle, Mail: SmtpHandle}


def set_common(easy: Any, deadline_s: float) -> None:
    """Set what HTTP and SMTP share."""
    easy.setopt(pycurl.NOSIGNAL, 1)  # signals belong to the main thread
    easy.setopt(pycurl.PROXY, "")  # the environment must not route our traffic
    easy.setopt(pycurl.CAINFO, os.environ.get("SSL_CERT_FILE") or certifi.where())
    easy.setopt(pycurl.TIMEOUT_MS, int(deadline_s * 1000))
    easy.setopt(pycurl.CONNECTTIMEOUT_MS, int(min(deadline_s, CONNECT_MAX_S) * 1000))
