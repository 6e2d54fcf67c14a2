"""Many transfers at once on one thread: libcurl's multi interface, driven by epoll or kqueue.

`CurlMulti.select` is 8 microseconds a transfer cheaper, and ends at descriptor 1,024: of the whole
process, idle connections and all. So libcurl says which sockets it waits for, and epoll (or kqueue)
waits.
"""

import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Generic, TypeVar

import pycurl

from service.config import Settings
from workers.channels.channel import Answer, Mail, Post
from workers.handles import HANDLES, Handle
from workers.shortage import Short

Tag = TypeVar("Tag")

READY_MAX = 64
AGAIN_MIN_S = 0.1  # with less of its deadline left, a transfer is not begun anew
INTERESTS = {
    pycurl.POLL_IN: selectors.EVENT_READ,
    pycurl.POLL_OUT: selectors.EVENT_WRITE,
    pycurl.POLL_INOUT: selectors.EVENT_READ | selectors.EVENT_WRITE,
}


@dataclass(slots=True)
class Running(Generic[Tag]):
    """A transfer under way. `ends`: monotonic, its deadline."""

    handle: Handle
    transfer: Post | Mail
    tag: Tag
    ends: float
    is_second: bool = False


class Transfers(Generic[Tag]):
    """The transfers of one thread, each known by the tag it was started with."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.running: dict[pycurl.Curl, Running[Tag]] = {}
        self.idle: dict[type, list[Handle]] = {kind: [] for kind in HANDLES}
        self.selector = selectors.DefaultSelector()
        self.watched: set[int] = set()
        self.bell, self.ear = socket.socketpair()
        self.bell.setblocking(False)
        self.ear.setblocking(False)
        self.selector.register(self.ear, selectors.EVENT_READ)
        self.multi = pycurl.CurlMulti()
        self.multi.setopt(pycurl.M_MAXCONNECTS, settings.sends_per_thread)
        self.multi.setopt(pycurl.M_SOCKETFUNCTION, self.watch)

    def start(self, transfer: Post | Mail, tag: Tag) -> Answer | None:
        """Begin a transfer, which ends within the deadline. An Answer: libcurl does not take it."""
        try:
            handle = self.handle_for(transfer)
            handle.begin(transfer)
            self.multi.add_handle(handle.easy)
        except (pycurl.error, ValueError) as error:
            return Answer(error=pycurl.E_URL_MALFORMAT, error_text=str(error))
        except (MemoryError, OSError) as error:
            return Answer(error=-1, error_text=str(error), short_of=Short.MEMORY)
        ends = time.monotonic() + self.settings.send_deadline_s
        self.running[handle.easy] = Running(handle, transfer, tag, ends)
        return None

    def handle_for(self, transfer: Post | Mail) -> Handle:
        """Take an idle handle, or make one."""
        kind = type(transfer)
        idle = self.idle[kind]
        return idle.pop() if idle else HANDLES[kind](self.settings)

    def wait(self, timeout_s: float) -> Iterator[tuple[Tag, Answer]]:
        """Move everything on, waiting up to the timeout, and give what has ended."""
        self.run_timers()
        quick = list(self.ended())  # over before anybody waited: no socket would tell
        for key, events in self.selector.select(0 if quick else self.until_s(timeout_s)):
            if key.fileobj is self.ear:
                with suppress(BlockingIOError):
                    self.ear.recv(4096)
            else:
                self.multi.socket_action(key.fd, events)
        self.run_timers()
        return chain(quick, self.ended())

    def until_s(self, timeout_s: float) -> float:
        """Shorten a wait to when libcurl wants to be called without a socket."""
        due_ms = self.multi.timeout()
        return timeout_s if due_ms < 0 else min(timeout_s, due_ms / 1000)

    def wake(self) -> None:
        """End a wait. Any thread may call it."""
        with suppress(OSError):  # full: it is awake; closed: it has ended
            self.bell.send(b"!")

    def abort(self) -> list[Tag]:
        """Cut off what is running; return the tags."""
        tags = []
        for easy, running in list(self.running.items()):
            self.multi.remove_handle(easy)
            tags.append(running.tag)
        self.running.clear()
        return tags

    def close(self) -> None:
        """Close every connection."""
        self.abort()
        self.multi.close()
        for idle in self.idle.values():
            for handle in idle:
                handle.close()
        for closing in (self.selector, self.bell, self.ear):
            closing.close()

    def ended(self) -> Iterator[tuple[Tag, Answer]]:
        """Collect what libcurl has finished."""
        queued = 1
        while queued:
            queued, good, bad = self.multi.info_read(READY_MAX)
            for easy in good:
                yield from self.collect(easy, 0, "")
            for easy, error, text in bad:
                yield from self.collect(easy, error, text)

    def collect(self, easy: pycurl.Curl, error: int, text: str) -> Iterator[tuple[Tag, Answer]]:
        """Read the answer, and make the handle ready for another transfer."""
        running = self.running.pop(easy)
        handle = running.handle
        answer = handle.answer(error, text)
        anew = (error or answer.status == 421) and not running.is_second and handle.was_dead(answer)
        self.multi.remove_handle(easy)
        if error == 0 or handle.reusable_after_error:
            self.idle[type(running.transfer)].append(handle)
        else:
            handle.close()
        if not (anew and self.started_anew(running)):
            yield running.tag, answer

    def started_anew(self, running: Running[Tag]) -> bool:
        """Begin a transfer once more, whose used connection nobody served: it costs no attempt.

        Within the same deadline, and once. It may have arrived all the same; the receiver can tell
        by its id, as with the attempt that would follow.
        """
        left_s = running.ends - time.monotonic()
        if left_s < AGAIN_MIN_S:
            return False
        try:
            handle = self.handle_for(running.transfer)
            handle.begin(running.transfer, left_s)
            self.multi.add_handle(handle.easy)
        except (pycurl.error, ValueError, MemoryError, OSError):
            return False
        running.handle, running.is_second = handle, True
        self.running[handle.easy] = running
        return True

    def watch(self, what: int, fd: int, _multi: object, _data: object) -> None:
        """Wait for what libcurl wants of a socket (its callback)."""
        if what == pycurl.POLL_REMOVE:
            if fd in self.watched:
                self.watched.remove(fd)
                self.selector.unregister(fd)
        elif fd in self.watched:
            self.selector.modify(fd, INTERESTS[what])
        else:
            self.watched.add(fd)
            self.selector.register(fd, INTERESTS[what])

    def run_timers(self) -> None:
        """Let libcurl do what is due without a socket: begin transfers, and end late ones.

        Asked for once a round: its timer callback would come twice for each transfer.
        """
        if self.multi.timeout() == 0:
            self.multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
