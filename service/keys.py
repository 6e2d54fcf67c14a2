"""The names of the keys that one ledger has in Redis.

    {notify:<ledger>}:ready:0 … 3  a sorted set for each priority; member: the id's 16 bytes; score:
                                   its due_at, in ms since 1970
    {notify:<ledger>}:leader       a sorted set of one member: 16 random bytes of the leader, its
                                   epoch; if it is missing or not the leader's, the ready set may
                                   have been flushed. No string: one can be of any length, and
                                   a GET reads all of it
    {notify:<ledger>}:probe        ReadySet.probe tries the server on it; gone within seconds

Several ledgers may share a Redis: `<ledger>` is the name that sql/ledger.sql gives. All keys of
one have the same hash tag, so that one node of a cluster has them. If another program writes to
them, no notification is lost.
"""

from service.model.words import LANES


class Keys:
    """`ledger`: the ledger's name, 16 hexadecimal digits."""

    def __init__(self, ledger: str) -> None:
        tag = f"{{notify:{ledger}}}"
        self.lanes = {lane: f"{tag}:ready:{lane}" for lane in LANES}
        self.leader = f"{tag}:leader"
        self.probe = f"{tag}:probe"
