"""Look names up in threads: getaddrinfo(3) cannot be interrupted, and may take half a minute.

Each call has a thread of its own, which nobody joins. Names whose servers are silent often come in
numbers. So a call that takes long is counted apart, which frees its place for another call, and
names that were silent may use only a few of the threads.
"""

import socket
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

from service.process.descriptors import descriptors_max

QUICK_MAX = 256  # calls that run at once and have not taken long yet
THREADS_MAX = 1024  # also those whose call has taken long; fewer if there are few descriptors
SILENT_MAX = 64  # in addition, calls for names that were silent
SLOW_S = 1.0
WAITING_MAX = 10_000  # calls that wait for a thread
SILENT_WAITING_MAX = 1000
SILENT_KNOWN_MAX = 10_000
LATE_S = 10.0  # how long an answer that came too late is kept

Call = tuple[Any, ...]  # the arguments of getaddrinfo, the host first
Result = list[Any] | Exception  # what getaddrinfo returns or raises
Callback = Callable[[Result], None]
Pending = SimpleQueue[tuple[float, Result]]  # the result, and when it came (monotonic)


class Lookups:
    """Calls of getaddrinfo. Several who want one name share a call. Any thread may use it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.wanted: dict[Call, list[Callback]] = {}  # who waits for each call
        self.quick: deque[Call] = deque()  # wait for a thread
        self.silent: deque[Call] = deque()  # the same, for names that were silent
        self.were_silent: OrderedDict[str, None] = OrderedDict()  # hosts
        self.late: dict[Call, Pending] = {}  # calls that somebody has stopped waiting for
        self.began: dict[Call, float] = {}  # since when each call runs; monotonic
        self.young: OrderedDict[Call, None] = OrderedDict()  # run, and have not taken long yet
        self.old = 0  # how many run and have taken long
        self.silent_running = 0
        self.threads = 0
        self.starting = 0  # threads that have not taken a call yet
        self.threads_max = min(THREADS_MAX, max(QUICK_MAX, descriptors_max() // 8))

    def start(self, call: Call, callback: Callback) -> bool:
        """Look a name up; `callback` runs in another thread. False: too many are looked up."""
        with self.lock:
            if call in self.wanted:
                self.wanted[call].append(callback)
                return True
            is_silent = call[0] in self.were_silent
            queue = self.silent if is_silent else self.quick
            if len(queue) >= (SILENT_WAITING_MAX if is_silent else WAITING_MAX):
                return False
            self.wanted[call] = [callback]
            queue.append(call)
            return self.start_threads(call)

    def began_at(self, call: Call) -> float | None:
        """Return since when a call runs; None: it does not. Also starts the threads that are due.

        Whoever waits must call this now and then: no other event says that a call has taken long.
        """
        with self.lock:
            if self.quick:
                self.start_threads(call)
        return self.began.get(call)

    def wait(self, call: Call, timeout_s: float) -> list[Any]:
        """Look a name up, and wait for its addresses. Raises OSError.

        A result that comes too late is kept for whoever asks again, or a slow resolver would be
        asked for ever.
        """
        pending = self.late.pop(call, None) or self.begin(call)
        try:
            came_at, result = pending.get(timeout=timeout_s)
        except Empty:
            self.late[call] = pending
            raise socket.gaierror(socket.EAI_AGAIN, "the resolver does not answer") from None
        if time.monotonic() - came_at > LATE_S:
            return self.wait(call, timeout_s)
        if isinstance(result, Exception):
            raise result
        return result

    def begin(self, call: Call) -> Pending:
        """Look a name up; the result will come into the returned queue. Raises OSError."""
        pending: Pending = SimpleQueue()
        if not self.start(call, lambda result: pending.put((time.monotonic(), result))):
            raise socket.gaierror(socket.EAI_AGAIN, "too many names are looked up")
        return pending

    def start_threads(self, call: Call) -> bool:
        """Start the threads that are due. False: there is not even one, so nothing can wait."""
        due = min(len(self.quick), self.places()) - self.starting
        due += min(len(self.silent), SILENT_MAX - self.silent_running)
        for _ in range(due):
            try:
                threading.Thread(target=self.work, name="lookup", daemon=True).start()
            except RuntimeError:  # the system has none to give
                break
            self.threads += 1
            self.starting += 1
        if self.threads:
            return True
        del self.wanted[call]
        self.quick.clear()
        self.silent.clear()
        return False

    def places(self) -> int:
        """Return how many more calls may run for names that were not silent."""
        taken_long = time.monotonic() - SLOW_S
        while self.young and self.began[next(iter(self.young))] < taken_long:
            self.young.popitem(last=False)
            self.old += 1
        running = len(self.young)
        return min(QUICK_MAX - running, self.threads_max - running - self.old)

    def work(self) -> None:
        """Look up what waits, until nothing does. Each thread runs this."""
        taken = self.next(is_first=True)
        while taken is not None:
            call, was_silent = taken
            try:
                result: Result = socket.getaddrinfo(*call)
            except Exception as error:  # OSError, UnicodeError; whatever it is, somebody waits
                result = error
            for callback in self.finish(call, result, was_silent=was_silent):
                callback(result)
            taken = self.next()

    def next(self, *, is_first: bool = False) -> tuple[Call, bool] | None:
        """Take the next call, and whether its name was silent; None: the thread may end.

        `is_first`: the thread has taken none before.
        """
        with self.lock:
            self.starting -= is_first
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

    def finish(self, call: Call, result: Result, *, was_silent: bool) -> list[Callback]:
        """Note whether the name was silent; return who waits for it.

        A name that has an address in the end is not silent: it is worth the time that it took.
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
            if took_s > SLOW_S and isinstance(result, Exception):
                self.were_silent[call[0]] = None
                if len(self.were_silent) > SILENT_KNOWN_MAX:
                    self.were_silent.popitem(last=False)
            return self.wanted.pop(call)


def addresses(result: list[tuple[object, ...]]) -> tuple[str, ...]:
    """Return each address once, in the order in which to try them.

    An address with a scope (`fe80::1%eth0`) is left out, because libcurl takes none.
    """
    texts = [str(sockaddr[0]) for *_, sockaddr in result if isinstance(sockaddr, tuple)]
    return tuple(dict.fromkeys(text for text in texts if "%" not in text))
