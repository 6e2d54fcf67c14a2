"""What `notify up --sandbox` sends, whatever the recipient: webhooks to the inbox, and log lines.

Path, query, user and the header Host stay the recipient's; only the connection is another one, and
without TLS. Mails need nothing of this: their SMTP_URL is the inbox. Pure.
"""

from dataclasses import dataclass

from msgspec.structs import replace

from service.channels.webhook import http_url
from service.names.origin import AUTHORITY, DEFAULT_PORTS, origin, parts
from workers.channels.channel import Answer, Post, Transfer
from workers.channels.webhook import WebhookChannel
from workers.claim import Claim, Verdict

LOG = "http://log.invalid/log"  # how a line arrives; nobody has that name (RFC 6761)


@dataclass(frozen=True, slots=True)
class Sandboxed:
    """The channels `webhook` and `log`. `inbox`: `http://host:port`, all that is ever connected."""

    webhook: WebhookChannel
    inbox: str
    at_once_max = None

    def destination(self, claim: Claim) -> str:
        """Return the recipient's own destination: shares, pace and breaker are as outside."""
        return origin(claim.recipient) or claim.channel

    def domain(self, claim: Claim) -> str:
        """Return nothing: it is never asked for."""
        return ""

    def prepare(self, claim: Claim) -> Transfer | Verdict:
        """Build the request to the recipient, and lead it to the inbox."""
        recipient = LOG if claim.channel == "log" else claim.recipient
        try:
            url, host = led(http_url(recipient), self.inbox)
        except ValueError:
            return self.webhook.prepare(claim)  # which says why it is no URL
        made = self.webhook.prepare(replace(claim, recipient=url))
        if not isinstance(made, Post):
            return made
        return replace(made, headers=[f"Host: {host}", *made.headers])

    def judge(self, answer: Answer) -> Verdict:
        """Judge as the channel `webhook` does."""
        return self.webhook.judge(answer)


def led(url: str, inbox: str) -> tuple[str, str]:
    """Return a URL with the inbox in place of its host, and its own Host header.

    Raises ValueError if it has no host.
    """
    authority = AUTHORITY.match(url)
    if authority is None:
        raise ValueError("no host")
    scheme, host, port = parts(authority[1], authority[2])
    if port and port != DEFAULT_PORTS[scheme]:
        host = f"{host}:{port}"
    user, at, _ = authority[2].rpartition("@")
    return inbox.replace("://", f"://{user}{at}", 1) + url[authority.end() :], host
