"""Looking names up beside the road: getaddrinfo(3) cannot be cut off, and may take half a minute.

Each call has a thread of its own, which nobody joins. A name whose servers are silent is seldom
alone: a call that takes long is counted apart, so that its place is free for another, and names
that were silent have few of the threads, however many of them are asked for.
"""

import socket
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

from service.process.descriptors import descriptors_max

QUICK_MAX = 256  # calls at once, of those that have not taken long yet
THREADS_MAX = 1024  # … with those that have, unless there are few descriptors
SILENT_MAX = 64  # … and beside them, of names that were silent
SLOW_S = 1.0
WAITING_MAX = 10_000  # for a thread
SILENT_WAITING_MAX = 1000
SILENT_KNOWN_MAX = 10_000
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
        self.silent: deque[Call] = deque()
        self.were_silent: OrderedDict[str, None] = OrderedDict()  # hosts
        self.late: dict[Call, Told] = {}  # what somebody has waited for in vain
        self.began: dict[Call, float] = {}  # what runs; monotonic
        self.young: OrderedDict[Call, None] = OrderedDict()  # of it what has not taken long yet
        self.old = 0  # … and what has
        self.silent_running = 0
        self.threads = 0
        self.coming = 0  # threads that have not taken anything up yet
        self.threads_max = min(THREADS_MAX, max(QUICK_MAX, descriptors_max() // 8))

    def start(self, call: Call, tell: Tell) -> bool:
        """Look a name up; `tell` is called in another thread. False: too many are looked up."""
        with self.lock:
            if call in self.wanted:
                self.wanted[call].append(tell)
                return True
            is_silent = call[0] in self.were_silent
            line = self.silent if is_silent else self.quick
            if len(line) >= (SILENT_WAITING_MAX if is_silent else WAITING_MAX):
                return False
            self.wanted[call] = [tell]
            line.append(call)
            return self.began_threads(call)

    def began_at(self, call: Call) -> float | None:
        """Say since when a call runs; None: it does not. Gives what waits the threads it may have.

        To be asked by who waits: no other event says that a call has taken long.
        """
        with self.lock:
            if self.quick:
                self.began_threads(call)
        return self.began.get(call)

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

    def began_threads(self, call: Call) -> bool:
        """Begin the threads that are due. Without the very first, nobody would take up a call."""
        due = min(len(self.quick), self.places()) - self.coming
        due += min(len(self.silent), SILENT_MAX - self.silent_running)
        for _ in range(due):
            try:
                threading.Thread(target=self.work, name="lookup", daemon=True).start()
            except RuntimeError:  # the system has none to give
                break
            self.threads += 1
            self.coming += 1
        if self.threads:
            return True
        del self.wanted[call]
        self.quick.clear()
        self.silent.clear()
        return False

    def places(self) -> int:
        """Say how many more calls of names that were not silent may run."""
        taken_long = time.monotonic() - SLOW_S
        while self.young and self.began[next(iter(self.young))] < taken_long:
            self.young.popitem(last=False)
            self.old += 1
        running = len(self.young)
        return min(QUICK_MAX - running, self.threads_max - running - self.old)

    def work(self) -> None:
        """Look up what waits, until nothing does (a thread's life)."""
        taken = self.next(came=1)
        while taken is not None:
            call, was_silent = taken
            try:
                found: Found = socket.getaddrinfo(*call)
            except Exception as error:  # OSError, UnicodeError; whatever it is, somebody waits
                found = error
            for tell in self.ended(call, found, was_silent=was_silent):
                tell(found)
            taken = self.next()

    def next(self, came: int = 0) -> tuple[Call, bool] | None:
        """Take the next call, and whether it was silent; None: this thread is not needed.

        `came`: threads that take their first.
        """
        with self.lock:
            self.coming -= came
            if self.quick and self.places() > 0:
                call, was_silent = self.quick.popleft(), False
                self.young[call] = None
            elif self.silent and self.silent_running < SILENT_MAX:
                call, was_silent = self.silent.popleft(), True
                self.silent_running += 1
            else:
                self.threads -= 1
                return None
            self.began[call] = time.monotonic()
            return call, was_silent

    def ended(self, call: Call, found: Found, *, was_silent: bool) -> list[Tell]:
        """Note whether a name was silent; return who waits for it.

        One that is found in the end is not: whatever else it holds up, it is worth asking for.
        """
        with self.lock:
            took_s = time.monotonic() - self.began.pop(call)
            if was_silent:
                self.silent_running -= 1
            elif call in self.young:
                del self.young[call]
            else:
                self.old -= 1
            self.were_silent.pop(call[0], None)
            if took_s > SLOW_S and isinstance(found, Exception):
                self.were_silent[call[0]] = None
                if len(self.were_silent) > SILENT_KNOWN_MAX:
                    self.were_silent.popitem(last=False)
            return self.wanted.pop(call)


def addresses(result: list[tuple[object, ...]]) -> tuple[str, ...]:
    """Take each address once, in the order in which they are to be tried.

    One that holds on one link only (`fe80::1%eth0`) is left out: libcurl takes none of them.
    """
    found = [str(sockaddr[0]) for *_, sockaddr in result if isinstance(sockaddr, tuple)]
    return tuple(dict.fromkeys(address for address in found if "%" not in address))
