"""A claim on its way out."""

from msgspec import Struct

from workers.channels.channel import Channel
from workers.claim import Claim


class Flight(Struct, gc=False):
    """One send. `started_at`: monotonic, when its transfer began.

    `share`: whose share of the slots it takes: the destination's, or that of the domain behind a
    mail server.
    """

    claim: Claim
    channel: Channel
    destination: str
    share: str
    started_at: float
