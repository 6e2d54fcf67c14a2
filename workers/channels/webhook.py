"""The channel `webhook`: a POST of the payload to the recipient's URL, signed if it can be."""

import time
from collections.abc import Callable
from functools import lru_cache

import pycurl
from msgspec import Struct

from service.channels.webhook import ADDRESS_NOT_ALLOWED, ADVICE, headers, http_url
from service.config.settings import Settings
from service.model.words import Outcome
from service.names.origin import KNOWN_MAX, origin
from service.signature import key, signature
from workers.channels.channel import NO_WAY_OUT, NOT_ALLOWED, REFUSED_STREAM, Answer, Post
from workers.claim import Claim, Verdict
from workers.outcome import Meaning, by_class, excerpt

STATUSES: dict[int | str, Outcome] = {
    "2xx": Outcome.SENT,
    "3xx": Outcome.PERMANENT,  # redirects are not followed: they could lead anywhere
    408: Outcome.TEMPORARY,
    425: Outcome.TEMPORARY,
    429: Outcome.THROTTLED,
    "4xx": Outcome.PERMANENT,  # 410 among them: the receiver is gone for good
    "5xx": Outcome.TEMPORARY,
}
CAN_THROTTLE = (429, 503)  # with Retry-After
RETRY_AFTER_MAX_S = 3600.0
# Libcurl's number; pycurl has no name for it. With TLS 1.3 a server refuses a client without a
# certificate only when the request was sent, and does not read it.
SSL_CLIENTCERT = 98

ERRORS: dict[int, Meaning] = {
    pycurl.E_URL_MALFORMAT: (Outcome.PERMANENT, "bad_url"),
    pycurl.E_COULDNT_RESOLVE_HOST: (Outcome.UNREACHABLE, "dns"),
    pycurl.E_COULDNT_CONNECT: (Outcome.UNREACHABLE, "connect_failed"),
    # Certificates are renewed and trust stores mended, so nothing about TLS is for good.
    pycurl.E_SSL_CONNECT_ERROR: (Outcome.UNREACHABLE, "tls"),
    pycurl.E_PEER_FAILED_VERIFICATION: (Outcome.UNREACHABLE, "tls_certificate"),
    pycurl.E_SSL_CACERT_BADFILE: (Outcome.UNREACHABLE, "tls_ca_file"),
    # As long as the request was not sent: see `judge_error`.
    pycurl.E_OPERATION_TIMEDOUT: (Outcome.UNREACHABLE, "timeout"),
    pycurl.E_SEND_ERROR: (Outcome.UNREACHABLE, "reset"),
    pycurl.E_RECV_ERROR: (Outcome.UNREACHABLE, "reset"),
    pycurl.E_GOT_NOTHING: (Outcome.UNREACHABLE, "no_answer"),
    pycurl.E_SEND_FAIL_REWIND: (Outcome.UNREACHABLE, "no_answer"),  # on a connection used before
    REFUSED_STREAM: (Outcome.UNREACHABLE, "refused_stream"),
    NOT_ALLOWED: (Outcome.PERMANENT, ADDRESS_NOT_ALLOWED),
    NO_WAY_OUT: (Outcome.UNREACHABLE, "proxy_failed"),
    pycurl.E_COULDNT_RESOLVE_PROXY: (Outcome.UNREACHABLE, "proxy_failed"),
    pycurl.E_UNSUPPORTED_PROTOCOL: (Outcome.TEMPORARY, "not_http"),
    pycurl.E_FTP_WEIRD_SERVER_REPLY: (Outcome.TEMPORARY, "not_http"),
}
SWITCHING = 101


class Way(Struct, frozen=True, gc=False):
    """Where a recipient leads. `refusal`: why nothing may be sent there."""

    destination: str
    refusal: Verdict | None


class WebhookChannel:
    """Standard Webhooks: https://www.standardwebhooks.com."""

    at_once_max = None

    def __init__(self, settings: Settings, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._guard = settings.guard
        self._keys = tuple(key(secret) for secret in settings.webhook_secret)
        self._way = lru_cache(KNOWN_MAX)(self._find_way)

    def destination(self, claim: Claim) -> str:
        """Return scheme, host and port, which share one limit and fail together."""
        return self._way(claim.recipient).destination

    def domain(self, claim: Claim) -> str:
        """Return nothing: it is never asked for."""
        return ""

    def prepare(self, claim: Claim) -> Post | Verdict:
        """Build the request; its timestamp is the attempt's, its id the notification's."""
        if refusal := self._way(claim.recipient).refusal:
            return refusal
        body = claim.payload.encode()
        now = int(self._now())
        signed = signature(self._keys, claim.id, now, body) if self._keys else None
        made = headers(claim.id, now, signed, claim.traceparent)
        return Post(url=claim.recipient, headers=made, body=body)

    def judge(self, answer: Answer) -> Verdict:
        """Judge by the final status if there is one, whatever became of the connection after it."""
        if answer.status < 200:
            return judge_error(answer)
        if not answer.body and answer.retry_after_s is None:
            return plain(answer.status)
        retry_after_s = retry_after(answer)
        return Verdict(
            outcome=Outcome.THROTTLED if retry_after_s else by_class(answer.status, STATUSES),
            code=str(answer.status),
            excerpt=excerpt(answer.body),
            retry_after_s=retry_after_s,
        )

    def _find_way(self, url: str) -> "Way":
        """Look at a recipient: most are sent to again and again."""
        refusal = None
        try:
            if self._guard.refuses(http_url(url)):
                refusal = Verdict(
                    outcome=Outcome.PERMANENT, code=ADDRESS_NOT_ALLOWED, excerpt=ADVICE
                )
        except ValueError as error:
            refusal = Verdict(outcome=Outcome.PERMANENT, code="bad_url", excerpt=str(error))
        return Way(origin(url) or url, refusal)


@lru_cache
def plain(status: int) -> Verdict:
    """Judge an answer that has nothing but a status."""
    return Verdict(outcome=by_class(status, STATUSES), code=str(status))


def retry_after(answer: Answer) -> float | None:
    """Bound the wait that a receiver asks for: any number may come. None: it does not."""
    asked_s = answer.retry_after_s
    if answer.status not in CAN_THROTTLE or asked_s is None or asked_s <= 0.0:
        return None
    return min(asked_s, RETRY_AFTER_MAX_S)


def judge_error(answer: Answer) -> Verdict:
    """Judge an error without a status: once the request was sent, it may have arrived or not.

    Before that it has not: the connection was not made in time, or ended in the handshake of TLS.
    """
    outcome, code = ERRORS.get(answer.error, (Outcome.TEMPORARY, f"curl_{answer.error}"))
    if answer.error == SSL_CLIENTCERT:
        outcome, code = Outcome.UNREACHABLE, "tls_client_certificate"
    elif answer.handed_over and outcome is not Outcome.PERMANENT:
        outcome = Outcome.UNKNOWN
    text = answer.error_text
    if answer.status == SWITCHING:  # libcurl waits for an answer to follow, up to the deadline
        text = f"answered 101 (Switching Protocols), then: {text}"
    return Verdict(outcome=outcome, code=code, excerpt=excerpt(text))
