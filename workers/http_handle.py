"""The easy handle for webhooks: one POST after another, and what became of each."""

import re

import pycurl

from service.config.settings import Settings
from workers.channels.channel import REFUSED_STREAM, Answer, Post
from workers.curl_handle import BODY_KEPT_BYTES, DROPPED, Handle
from workers.shortage import short_of

BODY_READ_BYTES = 65536  # a longer answer costs its connection
DEAD_MAX_S = 1.0  # a used connection that lasted longer counts as served, even without an answer

# libcurl's numbers; pycurl has no names for them.
HTTP2_STREAM = 92
# libcurl's words for a stream that a GOAWAY with one of these errors left out. Errors that libcurl
# finds itself, perhaps in an answer, have the same words and other numbers.
LEFT_OUT = re.compile(r"reset by curl \(error 0x(?:0|2|4|7|a|b|c|d) ")
NOT_HANDED_OVER = (0, pycurl.E_SSL_CONNECT_ERROR, REFUSED_STREAM)


class HttpHandle(Handle):
    """A handle for POSTs."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._received = 0  # bytes of the answer
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
        error = self._named(error, error_text) if error else 0
        return Answer(
            error=0 if self._received >= BODY_READ_BYTES else error,
            error_text=error_text,
            status=status,
            body=bytes(self._kept),
            handed_over=error not in NOT_HANDED_OVER and info(pycurl.REQUEST_SIZE) > 0,
            retry_after_s=info(pycurl.RETRY_AFTER) or None if status >= 400 else None,
            short_of=short_of(self.easy, error) if error and not status else None,
        )

    def has_failed(self, answer: Answer) -> bool:
        if answer.status < 200:
            return answer.error != 0
        return answer.status in (408, 421) or (answer.status >= 500 and not answer.retry_after_s)

    def was_dead(self, answer: Answer) -> bool:
        """Return whether it was closed at once without an answer, or got 421 (RFC 9110 15.5.20).

        libcurl does not distinguish half a status line from none. A receiver that began to answer
        may have taken the request; most such connections end later than DEAD_MAX_S.
        """
        if not answer.error:
            return answer.status == 421 and self._is_reused()
        return self._was_dropped(answer) and self._waited_s() < DEAD_MAX_S

    def was_refused(self, answer: Answer) -> bool:
        return answer.error == REFUSED_STREAM and not answer.status

    def _arm(self, post: Post) -> None:
        self._kept.clear()
        self._received = 0
        self.easy.setopt(pycurl.URL, post.url)
        self.easy.setopt(pycurl.HTTPHEADER, post.headers)
        self.easy.setopt(pycurl.POSTFIELDSIZE_LARGE, len(post.body))
        self._unsent = memoryview(post.body)

    def _named(self, error: int, error_text: str) -> int:
        """Return the number of an error that libcurl gives in words only."""
        if error == pycurl.E_SEND_FAIL_REWIND and not self._is_reused():
            return REFUSED_STREAM
        if error == HTTP2_STREAM and LEFT_OUT.search(error_text):
            return REFUSED_STREAM
        is_out = self.easy.getinfo(pycurl.REQUEST_SIZE) > 0
        return self._alerted(error, error_text, is_out=is_out)

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

    def _waited_s(self) -> float:
        """Return how long the transfer took from where its connection was ready."""
        info = self.easy.getinfo
        return float(info(pycurl.TOTAL_TIME) - info(pycurl.PRETRANSFER_TIME))
