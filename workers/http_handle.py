"""The easy handle for webhooks: one POST after another, and what became of each."""

import os
import re
import socket
from errno import EAFNOSUPPORT
from functools import lru_cache
from typing import Any

import certifi
import pycurl

from service.channels.webhook import ADVICE
from service.config.settings import Settings
from service.names.origin import Server, server
from workers.channels.channel import NO_WAY_OUT, NOT_ALLOWED, REFUSED_STREAM, Answer, Post
from workers.curl_handle import BODY_KEPT_BYTES, CONNECT_MAX_S, DROPPED, Handle, Opened
from workers.shortage import short_of

BODY_READ_BYTES = 65536  # a longer answer costs its connection
DEAD_MAX_S = 1.0  # a used connection that lasted longer counts as served, even without an answer

# libcurl's numbers; pycurl has no names for them.
HTTP2_STREAM = 92
# What is no status line, as the late end of the answer before: libcurl may meet it as HTTP/0.9.
NOT_HTTP = (pycurl.E_UNSUPPORTED_PROTOCOL, pycurl.E_FTP_WEIRD_SERVER_REPLY)
# libcurl's words for a stream that a GOAWAY with one of these errors left out. Errors that libcurl
# finds itself, perhaps in an answer, have the same words and other numbers.
LEFT_OUT = re.compile(r"reset by curl \(error 0x(?:0|2|4|7|a|b|c|d) ")
NOT_HANDED_OVER = (0, pycurl.E_SSL_CONNECT_ERROR, REFUSED_STREAM, NO_WAY_OUT)
INTERNET = (socket.AF_INET, socket.AF_INET6)
# libcurl's own words would tell a sender which address it was, or where the proxy is.
OUR_WORDS = {NOT_ALLOWED: ADVICE, NO_WAY_OUT: "the proxy did not connect us to the receiver"}


class HttpHandle(Handle):
    """A handle for POSTs."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._received = 0  # bytes of the answer
        self._url = ""  # what libcurl was last told
        self._body_bytes = -1
        self._guard = settings.guard
        self._was_refused = False  # an address, by the guard
        self._was_open = False  # another was tried
        self._proxy_url = settings.webhook_proxy_url
        if self._proxy_url:
            self._send_through(self._proxy_url)
        self.easy.setopt(pycurl.OPENSOCKETFUNCTION, self._open)
        connect_s = min(settings.send_deadline_s, CONNECT_MAX_S)
        self.easy.setopt(pycurl.CONNECTTIMEOUT_MS, int(connect_s * 1000))
        self.easy.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        self.easy.setopt(pycurl.FOLLOWLOCATION, 0)
        self.easy.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
        self.easy.setopt(pycurl.POST, 1)
        self.easy.setopt(pycurl.WRITEFUNCTION, self._take)
        # From memory (POSTFIELDS) libcurl would send a body again, up to five times, when a reused
        # connection dies without an answer. What it reads from us it cannot read again.
        self.easy.setopt(pycurl.READFUNCTION, self._give)

    def answer(self, error: int, error_text: str) -> Answer:
        """Return what came back. A transfer that we ended, having read enough, is no error."""
        info = self.easy.getinfo
        status = info(pycurl.RESPONSE_CODE)
        if not error and 200 <= status < 400 and not self._received:
            return plain(status)
        error = self._named(error, error_text) if error else 0
        if error in OUR_WORDS:
            return Answer(error=error, error_text=OUR_WORDS[error])
        if error == pycurl.E_ABORTED_BY_CALLBACK:
            error_text = "it sends without an end"
        return Answer(
            error=0 if self._received >= BODY_READ_BYTES else error,
            error_text=error_text,
            status=status,
            body=bytes(self._kept),
            handed_over=error not in NOT_HANDED_OVER and info(pycurl.REQUEST_SIZE) > 0,
            retry_after_s=info(pycurl.RETRY_AFTER) or None if status >= 400 else None,
            short_of=short_of(self.easy, error, self._tried) if error and not status else None,
        )

    def has_failed(self, answer: Answer) -> bool:
        if answer.status < 200:
            return answer.error != 0
        return answer.status in (408, 421) or (answer.status >= 500 and not answer.retry_after_s)

    def was_dead(self, answer: Answer) -> bool:
        """Return whether it was closed at once without an answer, or got 421 (RFC 9110 15.5.20).

        Or it was out of step: what came at once was the late end of the answer before.
        libcurl does not distinguish half a status line from none. A receiver that began to answer
        may have taken the request; most such connections end later than DEAD_MAX_S.
        """
        if not answer.error:
            return answer.status == 421 and self._is_reused()
        is_over = self._was_dropped(answer) or self._is_out_of_step(answer)
        return is_over and self._waited_s() < DEAD_MAX_S

    def was_refused(self, answer: Answer) -> bool:
        return answer.error == REFUSED_STREAM and not answer.status

    def _send_through(self, proxy_url: str) -> None:
        """Send everything through an egress proxy.

        Also http:// goes through a CONNECT: else an answer could be the proxy's or the receiver's.
        """
        self.easy.setopt(pycurl.PROXY, proxy_url.encode())
        self.easy.setopt(pycurl.PROXYPORT, proxy_server(proxy_url).port)  # if it names none
        self.easy.setopt(pycurl.HTTPPROXYTUNNEL, 1)
        self.easy.setopt(pycurl.PROXY_CAINFO, os.environ.get("SSL_CERT_FILE") or certifi.where())

    def _open(self, _purpose: int, address: Any) -> Opened | int:
        """Make the socket for an address that is about to be connected (libcurl's callback).

        It is called for each address that libcurl tries, in the thread of the transfer.
        """
        if not self._proxy_url and not self._permits(address):
            self._was_refused = True
            return int(pycurl.SOCKET_BAD)
        try:
            made = self._new_socket(address)
        except OSError as error:
            self._was_open |= error.errno != EAFNOSUPPORT  # this host has no IPv6
            return int(pycurl.SOCKET_BAD)
        self._was_open = True
        return Opened(made)

    def _permits(self, address: Any) -> bool:
        """Ask the guard about an address of the receiver."""
        is_known = address.family in INTERNET
        return is_known and self._guard.permits(self._url, *address.addr[:2])

    def _arm(self, post: Post) -> None:
        self._kept.clear()
        self._received = 0
        self._was_refused = self._was_open = False
        if post.url != self._url:
            self.easy.setopt(pycurl.URL, post.url)
            # Only HTTP/2 has frames that libcurl reads on and on; for others it is not even called.
            self.easy.setopt(pycurl.NOPROGRESS, post.url[:6].lower() != "https:")
            self._url = post.url
        self.easy.setopt(pycurl.HTTPHEADER, post.headers)
        if len(post.body) != self._body_bytes:
            self.easy.setopt(pycurl.POSTFIELDSIZE_LARGE, len(post.body))
            self._body_bytes = len(post.body)
        self._unsent = post.body

    def _named(self, error: int, error_text: str) -> int:
        """Return the number of an error that libcurl gives in words only, or that is ours."""
        if error == pycurl.E_COULDNT_CONNECT and self._was_refused and not self._was_open:
            return NOT_ALLOWED
        if self._proxy_url and self._is_proxys_fault(error):
            return NO_WAY_OUT
        if error == pycurl.E_SEND_FAIL_REWIND and not self._is_reused():
            return REFUSED_STREAM
        if error == HTTP2_STREAM and LEFT_OUT.search(error_text):
            return REFUSED_STREAM
        is_out = self.easy.getinfo(pycurl.REQUEST_SIZE) > 0
        return self._alerted(error, error_text, is_out=is_out)

    def _is_proxys_fault(self, error: int) -> bool:
        """Return whether it was the proxy that failed us, not this host, and not the receiver."""
        answer = self.easy.getinfo(pycurl.HTTP_CONNECTCODE)
        if 200 <= answer < 300 or self.easy.getinfo(pycurl.REQUEST_SIZE) > 0:
            return False
        if error in (*DROPPED, pycurl.E_SEND_FAIL_REWIND) and self._is_reused():  # an old tunnel
            return False
        return answer > 0 or short_of(self.easy, error, self._tried) is None

    def _take(self, data: bytes) -> int | None:
        """Keep the first bytes of the answer; end the transfer when it is too long to be read."""
        self._received += len(data)
        if len(self._kept) < BODY_KEPT_BYTES:
            self._kept += data[: BODY_KEPT_BYTES - len(self._kept)]
        return None if self._received < BODY_READ_BYTES else 0

    def _was_dropped(self, answer: Answer) -> bool:
        """Return whether a used connection ended before a line of the answer came.

        E_SEND_FAIL_REWIND is libcurl's own word for it: it would have begun anew by itself.
        """
        if answer.error == pycurl.E_SEND_FAIL_REWIND:
            return True
        is_silent = not self.easy.getinfo(pycurl.HEADER_SIZE)
        return answer.error in DROPPED and is_silent and self._is_reused()

    def _is_out_of_step(self, answer: Answer) -> bool:
        """Return whether what came on a used connection was the end of the answer before, or so."""
        return answer.error in NOT_HTTP and not answer.status and self._is_reused()

    def _waited_s(self) -> float:
        """Return how long the transfer took from where its connection was ready."""
        info = self.easy.getinfo
        return float(info(pycurl.TOTAL_TIME) - info(pycurl.PRETRANSFER_TIME))


@lru_cache
def plain(status: int) -> Answer:
    """Return an answer that has nothing but a status: most are alike."""
    return Answer(status=status)


def proxy_server(url: str) -> Server:
    """Return the server that WEBHOOK_PROXY_URL leads to."""
    known = server(url)
    assert known is not None  # the setting was checked
    return known
