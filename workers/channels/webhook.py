"""The channel `webhook`: a POST of the payload to the recipient's URL, signed if it can be."""

import time

import pycurl

from service.checks import http_url
from service.config import Settings
from service.model import Outcome
from service.origin import origin
from service.signature import key, signature
from workers.channels.channel import Answer, Post
from workers.claim import Claim, Verdict
from workers.outcome import Meaning, by_class, excerpt

STATUSES: dict[int | str, Outcome] = {
    "2xx": Outcome.SENT,
    "3xx": Outcome.PERMANENT,  # redirects are not followed: they could lead anywhere
    408: Outcome.TEMPORARY,
    425: Outcome.TEMPORARY,
    429: Outcome.TEMPORARY,
    "4xx": Outcome.PERMANENT,  # 410 among them: the receiver is gone for good
    "5xx": Outcome.TEMPORARY,
}
CAN_THROTTLE = (429, 503)  # with Retry-After

ERRORS: dict[int, Meaning] = {
    pycurl.E_URL_MALFORMAT: (Outcome.PERMANENT, "bad_url"),
    pycurl.E_COULDNT_RESOLVE_HOST: (Outcome.TEMPORARY, "dns"),
    pycurl.E_COULDNT_CONNECT: (Outcome.TEMPORARY, "connect_failed"),
    # Certificates are renewed and trust stores mended, so nothing about TLS is for good.
    pycurl.E_SSL_CONNECT_ERROR: (Outcome.TEMPORARY, "tls"),
    pycurl.E_PEER_FAILED_VERIFICATION: (Outcome.TEMPORARY, "tls_certificate"),
    pycurl.E_SSL_CACERT_BADFILE: (Outcome.TEMPORARY, "tls_ca_file"),
    # From here on it depends on how far the request had come: see `judge_error`.
    pycurl.E_OPERATION_TIMEDOUT: (Outcome.TEMPORARY, "timeout"),
    pycurl.E_SEND_ERROR: (Outcome.TEMPORARY, "reset"),
    pycurl.E_RECV_ERROR: (Outcome.TEMPORARY, "reset"),
    pycurl.E_GOT_NOTHING: (Outcome.TEMPORARY, "no_answer"),
    pycurl.E_SEND_FAIL_REWIND: (Outcome.TEMPORARY, "no_answer"),  # on a connection used before
    pycurl.E_UNSUPPORTED_PROTOCOL: (Outcome.TEMPORARY, "not_http"),
    pycurl.E_FTP_WEIRD_SERVER_REPLY: (Outcome.TEMPORARY, "not_http"),
}


class WebhookChannel:
    """Standard Webhooks: https://www.standardwebhooks.com."""

    at_once_max = None

    def __init__(self, settings: Settings) -> None:
        self.keys = tuple(key(secret) for secret in settings.webhook_secret)

    def destination(self, claim: Claim) -> str:
        """Scheme, host and port share one limit and fail together."""
        return origin(claim.recipient) or claim.recipient

    def prepare(self, claim: Claim) -> Post | Verdict:
        """Build the request; its timestamp is the attempt's, its id the notification's."""
        try:
            url = http_url(claim.recipient)
        except ValueError as error:
            return Verdict(outcome=Outcome.PERMANENT, code="bad_url", excerpt=str(error))
        body = claim.payload.encode()
        now = int(time.time())
        headers = [
            "Content-Type: application/json",
            "User-Agent: notification-service",
            f"webhook-id: {claim.id}",
            f"webhook-timestamp: {now}",
        ]
        if self.keys:
            headers.append(f"webhook-signature: {signature(self.keys, claim.id, now, body)}")
        return Post(url=url, headers=headers, body=body)

    def judge(self, answer: Answer) -> Verdict:
        """A final status is an answer, whatever became of the connection after it."""
        if answer.status < 200:
            return judge_error(answer)
        outcome = by_class(answer.status, STATUSES)
        retry_after_s = answer.retry_after_s if answer.status in CAN_THROTTLE else None
        if retry_after_s:
            outcome = Outcome.THROTTLED
        return Verdict(
            outcome=outcome,
            code=str(answer.status),
            excerpt=excerpt(answer.body),
            retry_after_s=retry_after_s,
        )


def judge_error(answer: Answer) -> Verdict:
    """No status came: once the request was out, nobody knows whether it arrived."""
    outcome, code = ERRORS.get(answer.error, (Outcome.TEMPORARY, f"curl_{answer.error}"))
    if answer.handed_over and outcome is Outcome.TEMPORARY:
        outcome = Outcome.UNKNOWN
    return Verdict(outcome=outcome, code=code, excerpt=excerpt(answer.error_text))
