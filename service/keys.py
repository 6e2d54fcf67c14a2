"""Redis's keys of one ledger, all under one hash tag, so that one node of a cluster has them.

    {notify:<ledger>}:ready:0 … 3  a sorted set per priority; member: the id's 16 bytes; score:
                                   its due_at, in ms since 1970
    {notify:<ledger>}:epoch        16 random bytes of the leader; gone or foreign: maybe a flush
    {notify:<ledger>}:probe        on which ReadySet.probe tries the server; gone within seconds

Two ledgers may share a Redis: `<ledger>` is what sql/ledger.sql says. The names are ours: what
somebody else puts under them costs at most itself.
"""

from service.model import LANES


class Keys:
    """The names; `ledger`: its 16 hexadecimal digits."""

    def __init__(self, ledger: str) -> None:
        tag = f"{{notify:{ledger}}}"
        self.lanes = {lane: f"{tag}:ready:{lane}" for lane in LANES}
        self.epoch = f"{tag}:epoch"
        self.probe = f"{tag}:probe"
