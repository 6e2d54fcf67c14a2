"""libcurl's multi interface for one thread, driven by epoll or kqueue.

`CurlMulti.select` is 8 microseconds a transfer cheaper, but it cannot wait for descriptors above
1,024, and they count all that the process has open. So libcurl says which sockets it waits for, and
epoll (or kqueue) waits: workers/poller.py.
"""

import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import pycurl

from workers.idle_socket import shut_down
from workers.poller import BOTH, READ, WRITE, new_poller

READY_MAX = 64
# How libcurl may move one transfer in one call: a receiver that sends as fast as it is read would
# hold the thread until its deadline, and with it all others. A send takes some eight moves. Both
# count: a machine may stand still for a second.
MOVES_MAX = 1000
MOVING_MAX_S = 0.1
INTERESTS = {
    pycurl.POLL_IN: READ,
    pycurl.POLL_OUT: WRITE,
    pycurl.POLL_INOUT: BOTH,
}

Result = tuple[pycurl.Curl, int, str]  # which handle, libcurl's error (0: none), its words


class Moves:
    """How often libcurl has moved one transfer in the call that runs."""

    def __init__(self, multi: "Multi") -> None:
        self._multi = multi
        self._call = 0
        self._count = 0
        self._began_at = 0.0

    def moved(self, *_: object) -> bool:
        """Return whether the transfer is to end: it does not let go (libcurl's callback)."""
        if self._call != self._multi.calls:
            self._call, self._count = self._multi.calls, 0
            self._began_at = time.monotonic()
        self._count += 1
        return self._count > MOVES_MAX and time.monotonic() - self._began_at > MOVING_MAX_S


class Multi:
    """Many transfers at once. `add` begins the transfer of an easy handle, `remove` ends it.

    Threads: wake is anybody's; all else is the sender's, as libcurl demands.
    """

    def __init__(self, connections_max: int) -> None:
        self._poller = new_poller()
        self._watched: dict[int, int] = {}  # what libcurl last asked for, by descriptor
        self._unwanted: set[int] = set()  # watched still, though libcurl has no use for them now
        self._h2: set[int] = set()  # that were last seen to speak HTTP/2
        self._waker, self._waked = socket.socketpair()
        self._waker.setblocking(False)
        self._waked.setblocking(False)
        self._waked_fd = self._waked.fileno()
        self._poller.register(self._waked_fd, READ)
        self.calls = 0  # of libcurl
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, connections_max)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self.add = self._multi.add_handle
        self.remove = self._multi.remove_handle

    def wait(self, timeout_s: float) -> None:
        """Move what sockets are ready for, waiting up to the timeout for the first, or for wake."""
        due_ms = self._multi.timeout()
        wait_s = timeout_s if due_ms < 0 else min(timeout_s, due_ms / 1000)
        ready = self._poller.select(wait_s)
        self._leave_idle(ready)  # first: libcurl may close any of them in what follows
        for fd, events in ready:
            if fd == self._waked_fd:
                with suppress(BlockingIOError):
                    self._waked.recv(4096)
            elif fd in self._watched and fd not in self._unwanted:
                self._act(fd, events)

    def wake(self) -> None:
        """End a wait."""
        with suppress(OSError):  # full: it is awake; closed: it has ended
            self._waker.send(b"!")

    def run_timers(self) -> None:
        """Let libcurl do what is due without a socket: begin transfers, and end late ones.

        Asked for once a round: its timer callback would come twice for each transfer.
        """
        if self._multi.timeout() == 0:
            self.begin_added()

    def begin_added(self) -> None:
        """Let libcurl begin what was added, now."""
        if self._unwanted:
            self._leave_idle(self._poller.select(0.0))
        self._act(pycurl.SOCKET_TIMEOUT, 0)

    def _act(self, fd: int, events: int) -> None:
        """Let libcurl move what a socket, or the time, is ready for."""
        self.calls += 1
        self._multi.socket_action(fd, events)

    def ended(self) -> Iterator[Result]:
        """Give the transfers that have ended: libcurl names each once."""
        queued = 1
        while queued:
            queued, good, bad = self._multi.info_read(READY_MAX)
            for easy in good:
                self._note_protocol(easy)
                yield easy, 0, ""
            for easy, error, text in bad:
                self._note_protocol(easy)
                yield easy, error, text

    def close(self) -> None:
        """Close every connection; `wake` does nothing from now on."""
        self._multi.close()
        for closing in (self._poller, self._waker, self._waked):
            closing.close()

    def opened(self, fd: int, _purpose: int) -> int:
        """Note that a socket was opened (libcurl's callback): it may have the number of an old one.

        That is why descriptors can stay watched until then: a connection that is used again costs
        no call of the kernel.
        """
        if fd in self._unwanted:
            self._forget(fd)
        self._h2.discard(fd)
        return int(pycurl.SOCKOPT_OK)

    def _watch(self, what: int, fd: int, _multi: object, _data: object) -> None:
        """Wait for what libcurl wants of a socket (its callback)."""
        if what == pycurl.POLL_REMOVE:
            if fd in self._watched:
                self._unwanted.add(fd)
                self._only_read(fd)
            return
        self._unwanted.discard(fd)
        before = self._watched.get(fd)
        self._watched[fd] = what
        if before is None:
            self._poller.register(fd, INTERESTS[what])
        elif before != what:
            self._poller.modify(fd, INTERESTS[what])

    def _only_read(self, fd: int) -> None:
        """Wait no more until an idle socket can be written to: it can."""
        if self._watched[fd] != pycurl.POLL_IN:
            self._watched[fd] = pycurl.POLL_IN
            with suppress(OSError):  # it is closed
                self._poller.modify(fd, READ)

    def _leave_idle(self, ready: list[tuple[int, int]]) -> None:
        """Have no idle connection used again that was closed, or on which something came unasked.

        libcurl would take it for the answer to what it sends next: it looks only at connections
        that were idle for a second. Over HTTP/2 it is no answer, but libcurl's to read. What came
        over TLS together with the answer cannot be seen: the TLS library has read it.
        """
        for fd, _ in ready:
            if fd in self._unwanted:
                if fd not in self._h2:
                    shut_down(fd)
                self._forget(fd)

    def _note_protocol(self, easy: pycurl.Curl) -> None:
        """Note whether the connection of a transfer that has ended speaks HTTP/2."""
        if easy.getinfo(pycurl.INFO_HTTP_VERSION) == pycurl.CURL_HTTP_VERSION_2_0:
            self._h2.add(easy.getinfo(pycurl.ACTIVESOCKET))

    def _forget(self, fd: int) -> None:
        """Wait no more for a socket, which may be closed by now."""
        self._unwanted.remove(fd)
        del self._watched[fd]
        self._poller.unregister(fd)
