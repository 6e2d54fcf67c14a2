"""The addresses of receivers' names: looked up before a transfer, kept for a minute.

libcurl would look names up itself, on a few threads, where some names whose servers are silent hold
up the others. ops/adr/0015-names.md.
"""

import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from service.names.lookups import Call, Lookups, Result, addresses

FRESH_S = 30.0  # then it is looked up again, while transfers still use it
KEPT_S = 60.0  # then it is not used any more: getaddrinfo does not say for how long it holds
FAILED_S = 3.0
ANSWER_MAX_S = 5.0  # a look-up that takes longer counts as failed, whatever comes of it later
KNOWN_MAX = 10_000
OF_FAMILY_MAX = 4  # addresses: the guard looks at each anew for each attempt, and some send 4,000

SILENT = f"the resolver has not answered within {ANSWER_MAX_S:g} s"

Callback = Callable[[str], None]  # called with the name, in a thread of Lookups


@dataclass(frozen=True, slots=True, eq=False)
class Resolution:
    """The addresses of a name; `error`: why there are none. Times are monotonic."""

    addresses: tuple[str, ...]
    error: str
    fresh_until: float
    kept_until: float


@dataclass(slots=True)
class Lookup:
    """A look-up that runs, or waits for a thread. `callbacks`: who waits for its end."""

    asked_at: float
    callbacks: set[Callback] = field(default_factory=set)


class Names:
    """The names that one worker process knows.

    Threads: any sender may call all of it; those of Lookups call _learn, and the callbacks. The
    lock is for changes: to look a name up in a dict needs none.
    """

    def __init__(self) -> None:
        self._lookups = Lookups()
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Resolution] = OrderedDict()  # the last looked up comes last
        self._running: dict[str, Lookup] = {}

    def ask(self, host: str, callback: Callback, now: float) -> Resolution | None:
        """Return what is known of a name. None: nothing yet; `callback` is called when it is.

        It is called in another thread, and never if too many names are being looked up.
        """
        known = self._known.get(host)
        if known is not None and now < known.fresh_until:
            return known
        with self._lock:
            return self._look_up(host, callback, now)

    def _look_up(self, host: str, callback: Callback, now: float) -> Resolution | None:
        """Look a name up, or join a look-up that runs; return the last answer while it holds."""
        known, lookup = self._known.get(host), self._running.get(host)
        if known is not None and now < known.fresh_until:  # another thread was quicker
            return known
        if lookup is None:
            lookup = self._running[host] = Lookup(now)
            if not self._lookups.start(call_for(host), lambda result: self._learn(host, result)):
                del self._running[host]
        if known is not None and known.addresses and now < known.kept_until:
            return known
        began_at = self._lookups.began_at(call_for(host))  # what waits for a thread is not silent
        if began_at is not None and now - began_at > ANSWER_MAX_S:
            return self._keep(host, (), SILENT, now)
        lookup.callbacks.add(callback)
        return None

    def asked_s(self, host: str, now: float) -> float:
        """Return for how long a name has been looked up by now."""
        lookup = self._running.get(host)
        return now - lookup.asked_at if lookup else 0.0

    def failed_before(self, host: str) -> Resolution | None:
        """Return the last look-up's result if it failed."""
        known = self._known.get(host)
        return known if known is not None and known.error else None

    def _learn(self, host: str, result: Result) -> None:
        """Keep what came of a look-up, and call who waits for it."""
        places: tuple[str, ...]
        if isinstance(result, Exception):
            places, error = (), str(result)
        else:
            places, error = first_few(addresses(result)), "it has no address"
        with self._lock:
            lookup = self._running.pop(host)
            self._keep(host, places, error, time.monotonic())
        for callback in lookup.callbacks:
            callback(host)

    def _keep(self, host: str, places: tuple[str, ...], error: str, now: float) -> Resolution:
        """Remember what came of a look-up; a failure counts only when no older answer holds."""
        known = self._known.pop(host, None)
        if places:
            kept = Resolution(places, "", now + FRESH_S, now + KEPT_S)
        elif known is not None and known.addresses and now < known.kept_until:
            kept = replace(known, fresh_until=now + FAILED_S)
        else:
            kept = Resolution((), error, now + FAILED_S, now + FAILED_S)
        self._known[host] = kept
        if len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
        return kept


def first_few(addresses: tuple[str, ...]) -> tuple[str, ...]:
    """Return the first addresses of IPv4 and of IPv6, in the order in which they came."""
    kept = [
        *[address for address in addresses if ":" in address][:OF_FAMILY_MAX],
        *[address for address in addresses if ":" not in address][:OF_FAMILY_MAX],
    ]
    return tuple(address for address in addresses if address in kept)


def call_for(host: str) -> Call:
    """Return the arguments of getaddrinfo."""
    return host, None, socket.AF_UNSPEC, socket.SOCK_STREAM
