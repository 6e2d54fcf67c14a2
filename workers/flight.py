"""A claim on its way out."""

from dataclasses import dataclass

from workers.channels.channel import Channel
from workers.claim import Claim


@dataclass(slots=True)
class Flight:
    """One send. `started_at`: monotonic, when its transfer began.

    `share`: what has a share of the slots and may be slow by itself: the destination, or the domain
    behind a mail server.
    """

    claim: Claim
    channel: Channel
    destination: str
    share: str
    started_at: float
