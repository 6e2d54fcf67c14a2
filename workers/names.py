"""What the names of receivers stand for: looked up before a transfer, kept for a minute.

libcurl would resolve by itself, on a few threads: some names whose servers are silent then hold up
the others. ops/adr/0015-names.md.
"""

import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from service.names.lookups import Call, Lookups, Result, addresses

FRESH_S = 30.0  # then it is looked up again, beside
KEPT_S = 60.0  # then nobody goes by it any more: getaddrinfo does not say for how long it holds
FAILED_S = 3.0
ANSWER_MAX_S = 5.0  # a look-up that takes longer counts as failed, whatever comes of it later
KNOWN_MAX = 10_000

SILENT = f"the resolver has not answered within {ANSWER_MAX_S:g} s"

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a name stands for; `error`: why that is not known. Times are monotonic."""

    addresses: tuple[str, ...]
    error: str
    fresh_until: float
    kept_until: float


@dataclass(slots=True)
class Lookup:
    """One that runs, or waits for a thread; and who wants to be told of its end."""

    asked_at: float
    tellers: set[Tell] = field(default_factory=set)


class Names:
    """The names that one worker process knows: its sender threads share them."""

    def __init__(self) -> None:
        self.lookups = Lookups()
        self.lock = threading.Lock()
        self.known: OrderedDict[str, Found] = OrderedDict()  # the last to be looked up comes last
        self.running: dict[str, Lookup] = {}

    def ask(self, host: str, tell: Tell, now: float) -> Found | None:
        """Say what a name stands for. None: not yet, and `tell` is called with it when it is time.

        That is in another thread, and not at all if too many names are being looked up.
        """
        found = self.known.get(host)
        if found is not None and now < found.fresh_until:
            return found
        with self.lock:
            return self.looked_up(host, tell, now)

    def looked_up(self, host: str, tell: Tell, now: float) -> Found | None:
        """Look a name up, or join who does; meanwhile an answer will do that still holds."""
        found, lookup = self.known.get(host), self.running.get(host)
        if found is not None and now < found.fresh_until:  # since a moment ago
            return found
        if lookup is None:
            lookup = self.running[host] = Lookup(now)
            if not self.lookups.start(call_for(host), lambda result: self.learn(host, result)):
                del self.running[host]
        if found is not None and found.addresses and now < found.kept_until:
            return found
        began_at = self.lookups.began_at(call_for(host))  # what waits for a thread is not silent
        if began_at is not None and now - began_at > ANSWER_MAX_S:
            return self.keep(host, (), SILENT, now)
        lookup.tellers.add(tell)
        return None

    def asked_s(self, host: str, now: float) -> float:
        """Say for how long a name is being looked up."""
        lookup = self.running.get(host)
        return now - lookup.asked_at if lookup else 0.0

    def failed_before(self, host: str) -> Found | None:
        """Say why a name was not found the last time it was looked up, if it was not."""
        found = self.known.get(host)
        return found if found is not None and found.error else None

    def learn(self, host: str, result: Result) -> None:
        """Keep what came of a look-up, and tell who waits for it (a look-up's thread)."""
        found: tuple[str, ...]
        if isinstance(result, Exception):
            found, error = (), str(result)
        else:
            found, error = permitted(host, addresses(result)), "it has no address"
        with self.lock:
            lookup = self.running.pop(host)
            self.keep(host, found, error, time.monotonic())
        for tell in lookup.tellers:
            tell(host)

    def keep(self, host: str, found: tuple[str, ...], error: str, now: float) -> Found:
        """Remember what came of a look-up: no failure, while an answer before it holds."""
        known = self.known.pop(host, None)
        if found:
            kept = Found(found, "", now + FRESH_S, now + KEPT_S)
        elif known is not None and known.addresses and now < known.kept_until:
            kept = replace(known, fresh_until=now + FAILED_S)
        else:
            kept = Found((), error, now + FAILED_S, now + FAILED_S)
        self.known[host] = kept
        if len(self.known) > KNOWN_MAX:
            self.known.popitem(last=False)
        return kept


def call_for(host: str) -> Call:
    """Return the arguments of getaddrinfo."""
    return host, None, socket.AF_UNSPEC, socket.SOCK_STREAM


def permitted(host: str, addresses: tuple[str, ...]) -> tuple[str, ...]:
    """Say to which of a name's addresses we may connect: to all.

    This is the place for who wants to refuse some. Everything that a name stands for comes by here
    before libcurl is told of it, and libcurl asks nobody else; an address that is written as a
    number, and localhost, do not.
    """
    return addresses
