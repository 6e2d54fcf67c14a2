"""Looking names up beside the road: getaddrinfo(3) cannot be cut off, and may take half a minute.

Each call has a thread of its own, which nobody joins. A name whose servers are silent is seldom
alone, so names that were slow have few of the threads, however many of them are asked for.
"""

import socket
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

THREADS_MAX = 256
SLOW_THREADS_MAX = 16
SLOW_S = 1.0
WANTED_MAX = 1000  # what runs or waits for a thread
SLOW_KNOWN_MAX = 10_000
LATE_S = 10.0  # an answer that came when nobody waited is as good for so long

Call = tuple[Any, ...]  # the arguments of getaddrinfo, the host first
Found = list[Any] | Exception  # what getaddrinfo returns or raises
Tell = Callable[[Found], None]
Told = SimpleQueue[tuple[float, Found]]  # when it was told: monotonic


class Lookups:
    """Calls of getaddrinfo: one for each name, whoever else wants it joins. Any thread may call."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.wanted: dict[Call, list[Tell]] = {}
        self.quick: deque[Call] = deque()  # what waits for a thread
        self.slow: deque[Call] = deque()
        self.were_slow: OrderedDict[str, None] = OrderedDict()  # hosts
        self.late: dict[Call, Told] = {}  # what somebody has waited for in vain
        self.threads = 0
        self.slow_threads = 0

    def start(self, call: Call, tell: Tell) -> bool:
        """Look a name up; `tell` is called in another thread. False: too many are looked up."""
        with self.lock:
            if call in self.wanted:
                self.wanted[call].append(tell)
                return True
            if len(self.wanted) >= WANTED_MAX:
                return False
            self.wanted[call] = [tell]
            (self.slow if call[0] in self.were_slow else self.quick).append(call)
            return self.threads >= THREADS_MAX or self.began_thread(call)

    def wait(self, call: Call, timeout_s: float) -> list[Any]:
        """Look a name up, and wait for what it stands for. Raises OSError.

        What comes too late is kept for who asks again, or a slow resolver would be asked for ever.
        """
        told = self.late.pop(call, None) or self.begin(call)
        try:
            told_at, found = told.get(timeout=timeout_s)
        except Empty:
            self.late[call] = told
            raise socket.gaierror(socket.EAI_AGAIN, "the resolver does not answer") from None
        if time.monotonic() - told_at > LATE_S:
            return self.wait(call, timeout_s)
        if isinstance(found, Exception):
            raise found
        return found

    def begin(self, call: Call) -> Told:
        """Look a name up; what comes of it is in the queue then. Raises OSError."""
        told: Told = SimpleQueue()
        if not self.start(call, lambda found: told.put((time.monotonic(), found))):
            raise socket.gaierror(socket.EAI_AGAIN, "too many names are looked up")
        return told

    def began_thread(self, call: Call) -> bool:
        """Begin one more thread. Without the very first, nobody would take up what waits."""
        try:
            threading.Thread(target=self.work, name="lookup", daemon=True).start()
        except RuntimeError:  # the system has none to give
            if self.threads:
                return True
            del self.wanted[call]
            self.quick.clear()
            self.slow.clear()
            return False
        self.threads += 1
        return True

    def work(self) -> None:
        """Look up what waits, until nothing does (a thread's life)."""
        while (taken := self.next()) is not None:
            call, was_slow = taken
            began = time.monotonic()
            try:
                found: Found = socket.getaddrinfo(*call)
            except Exception as error:  # OSError, UnicodeError; whatever it is, somebody waits
                found = error
            is_slow = time.monotonic() - began > SLOW_S
            for tell in self.ended(call, was_slow=was_slow, is_slow=is_slow):
                tell(found)

    def next(self) -> tuple[Call, bool] | None:
        """Take the next call, and whether it was slow; None: this thread is not needed."""
        with self.lock:
            if self.quick:
                return self.quick.popleft(), False
            if self.slow and self.slow_threads < SLOW_THREADS_MAX:
                self.slow_threads += 1
                return self.slow.popleft(), True
            self.threads -= 1
            return None

    def ended(self, call: Call, *, was_slow: bool, is_slow: bool) -> list[Tell]:
        """Note how quick a name was; return who waits for it."""
        with self.lock:
            self.slow_threads -= was_slow
            self.were_slow.pop(call[0], None)
            if is_slow:
                self.were_slow[call[0]] = None
                if len(self.were_slow) > SLOW_KNOWN_MAX:
                    self.were_slow.popitem(last=False)
            return self.wanted.pop(call)


def addresses(result: list[tuple[object, ...]]) -> tuple[str, ...]:
    """Take each address once, in the order in which they are to be tried.

    One that holds on one link only (`fe80::1%eth0`) is left out: libcurl takes none of them.
    """
    found = [str(sockaddr[0]) for *_, sockaddr in result if isinstance(sockaddr, tuple)]
    return tuple(dict.fromkeys(address for address in found if "%" not in address))
