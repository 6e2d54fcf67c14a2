"""What all runs stand on: the same servers, the same receiver, and the peers."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from load.bench.peers import measure
from load.bench.peers.dramatiq import Dramatiq
from load.bench.peers.graphile import GraphileAlone, GraphileWorker
from load.bench.peers.peer import Backlog, Peer, Settings
from load.bench.peers.pgqueuer import PgQueuer
from load.bench.stack import Options, Sink, Stack, scratch_stack

PEERS = ("graphile", "graphile-alone", "pgqueuer", "dramatiq")


@dataclass(frozen=True, slots=True)
class Ground:
    """Servers, receiver, peers."""

    stack: Stack
    sink: Sink
    peers: list[Peer]

    def rate(self, measured: str, peer: Peer | None, settings: Settings | None = None) -> float:
        """Measure a peer, or us (None), on an empty ledger."""
        backlog = self.backlog(measured)
        self.stack.clear()
        self.sink.ask("/forget")
        if peer is None:
            rate = measure.ours(self.stack, backlog)
        else:
            rate = measure.theirs(self.stack, peer, backlog, settings or peer.best[measured])
        if backlog.url:
            measure.check(self.sink, backlog)
        return rate

    def backlog(self, measured: str) -> Backlog:
        """Plan half as many webhooks as no-ops: they take several times as long."""
        rows = self.stack.options.rows
        if measured == "drain":
            return Backlog(rows=rows, url=None)
        return Backlog(rows=rows // 2, url=f"{self.sink.url}/hook")


@contextmanager
def ground(folder: Path, names: Sequence[str], rows: int) -> Iterator[Ground]:
    """Start the servers and the sink, and make the peers' tables."""
    with ExitStack() as exits:
        stack = exits.enter_context(scratch_stack(Options(seconds=0, rows=rows, backlog=0)))
        sink = exits.enter_context(stack.sink())
        conn = exits.enter_context(psycopg.connect(stack.database_url, autocommit=True))
        peers: list[Peer] = []
        if "graphile" in names:
            peers.append(GraphileWorker(stack, folder, conn))
        if "graphile-alone" in names:
            peers.append(GraphileAlone(stack, folder, conn))
        if "pgqueuer" in names:
            peers.append(PgQueuer(stack, folder, conn))
        if "dramatiq" in names:
            peers.append(Dramatiq(stack, folder))
        yield Ground(stack, sink, peers)
