"""Many transfers at once on one thread, from the look-up of a name to the answer.

A mail goes out in a thread of its own: libcurl blocks the thread it runs on while it waits for the
reply to a mail, so that one slow server would hold up all transfers.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Generic, TypeVar

import pycurl
from msgspec import Struct

from service.config.mail_server import mail_server
from service.config.settings import Settings
from service.names.origin import Server, name_of, server
from workers.addresses import Addresses
from workers.channels.channel import NOT_ALLOWED, Answer, Mail, Post
from workers.curl_handle import Handle
from workers.doubts import LIFETIME_S, Doubts
from workers.http_handle import HttpHandle, proxy_server
from workers.multi import Moves, Multi, Result
from workers.name_queue import NAME_WAIT_S, NameQueue
from workers.names import Names, Resolution
from workers.protocols import Protocols
from workers.shortage import Short, short_of
from workers.smtp_handle import SmtpHandle

Tag = TypeVar("Tag")

TRIES_MAX = 6  # of a transfer that is refused
UNRESOLVED = pycurl.E_COULDNT_RESOLVE_HOST
LEFT_MIN_S = 0.1  # with less of its time left, a transfer is not begun anew
TOO_LATE = Answer(error=-1, error_text="it waited for too long", is_late=True)
HANDLES: dict[type, type[Handle]] = {Post: HttpHandle, Mail: SmtpHandle}


class Running(Struct, Generic[Tag], gc=False):
    """A transfer under way. `ends`: monotonic, its deadline; `secure`: its origin, over TLS."""

    transfer: Post | Mail
    tag: Tag
    server: Server
    secure: str | None
    ends: float
    resolution: Resolution | None = None
    handle: Handle | None = None
    tries: int = 1
    is_fresh: bool = False  # on a connection of its own


class Transfers(Generic[Tag]):
    """The transfers of one sender, each known by the tag it was started with.

    Threads: wake is anybody's; the threads of mails call _mail_ended; all else is the sender's.
    """

    def __init__(
        self,
        settings: Settings,
        names: Names | None = None,
        doubts: Doubts | None = None,
        may_begin: Callable[[Tag, float, bool], bool] = lambda tag, left_s, has_begun: True,
    ) -> None:
        """`names`, `doubts`: what is known of receivers in this process.

        `may_begin`: asked before what has waited here begins, or what has begun begins anew, and
        takes up to so many seconds. This thread, or the whole machine, may have stood still.
        """
        self._settings = settings
        self._may_begin = may_begin
        self._mail_server = smtp_server(settings.smtp_url) if settings.smtp_url else None
        url = settings.webhook_proxy_url
        self._proxy = proxy_server(url) if url else None
        self._multi = Multi(settings.sends_per_thread)
        self._names: NameQueue[Running[Tag]] = NameQueue(names or Names(), self._multi.wake)
        self._doubts = doubts or Doubts()
        self._addresses = Addresses()
        self._running: dict[pycurl.Curl, Running[Tag]] = {}
        self._protocols: Protocols[Running[Tag]] = Protocols()
        self._scouts: set[pycurl.Curl] = set()  # which make a newcomer's first connection
        self._connected: list[str] = []  # newcomers, since the last round
        self._behind: list[Running[Tag]] = []  # transfers that waited for them, and may begin
        self._unread: deque[Result] = deque()  # ended, not yet collected
        self._mailed: deque[Result] = deque()  # ended, in their own threads
        self._idle: dict[type, list[Handle]] = {kind: [] for kind in HANDLES}

    @property
    def is_busy(self) -> bool:
        """Whether libcurl has a transfer to finish."""
        return bool(self._running)

    def start(
        self, transfer: Post | Mail, tag: Tag, name_wait_s: float = NAME_WAIT_S
    ) -> Answer | None:
        """Begin a transfer, which ends within the deadline. An Answer: it cannot begin.

        It waits up to `name_wait_s` for its name to be looked up.
        """
        server = self._server_of(transfer)
        if server is None:
            return Answer(error=pycurl.E_URL_MALFORMAT, error_text="there is no such host")
        now = time.monotonic()
        secure = server.origin if server.is_secure else None
        running = Running(transfer, tag, server, secure, now + self._settings.send_deadline_s)
        if server.name is None:
            return self._admit(running)
        resolution = self._names.ask(server.name, now)
        if resolution is None:
            self._names.enter(server.name, running, now + name_wait_s)
            return None
        return self._resolved(running, resolution)

    def _server_of(self, transfer: Post | Mail) -> Server | None:
        """Return the server that a transfer leads to; what is looked up and connected is its proxy.

        A proxy looks receivers' names up itself.
        """
        if not isinstance(transfer, Post):
            return self._mail_server
        known, proxy = server(transfer.url), self._proxy
        return replace(known, name=proxy.name, port=proxy.port) if known and proxy else known

    def _resolved(self, running: Running[Tag], resolution: Resolution | None) -> Answer | None:
        """Begin a transfer whose name was looked up. An Answer: it cannot begin."""
        is_proxy = self._proxy is not None and isinstance(running.transfer, Post)
        error = pycurl.E_COULDNT_RESOLVE_PROXY if is_proxy else UNRESOLVED
        if resolution is None:
            asked_s = self._names.asked_s(running.server.name or "", time.monotonic())
            return Answer(error=error, error_text="no answer yet", unresolved_s=asked_s)
        if resolution.error:
            return Answer(
                error=error, error_text=resolution.error, short_of=short_of(None, UNRESOLVED)
            )
        running.resolution = resolution
        return self._admit(running)

    def _admit(self, running: Running[Tag]) -> Answer | None:
        """Begin a transfer, or let it wait for its origin's first connection."""
        if running.secure and not self._protocols.may_begin(running.secure, running):
            return None
        answer = self._begin(running)
        if answer and running.secure and self._protocols.needs_scout(running.secure):
            self._protocols.silent(running.secure)  # or those behind it would wait for ever
        return answer

    def _begin(self, running: Running[Tag], *, left_s: float | None = None) -> Answer | None:
        """Give a transfer to libcurl."""
        try:
            handle = running.handle = self._handle_for(running.transfer)
            age_max_s = self._age_max_s(running)
            running.is_fresh = age_max_s == 0
            handle.begin(running.transfer, left_s, age_max_s)
            if running.secure:
                self._set_protocol(handle, running.secure)
            if type(handle) is SmtpHandle:  # isinstance() would ask its metaclass
                self._begin_mail(running, handle)
                return None
            is_news = self._addresses.give(handle, running.server, running.resolution)
            self._multi.add(handle.easy)
        except ValueError as error:
            return Answer(error=pycurl.E_URL_MALFORMAT, error_text=str(error))
        except (pycurl.error, MemoryError, OSError, RuntimeError) as error:  # nothing was begun
            return Answer(error=-1, error_text=str(error), short_of=Short.MEMORY)
        except Exception as error:  # a channel made no transfer: those behind it must not wait
            return Answer(error=-1, error_text=f"{type(error).__name__}: {error}")
        self._running[handle.easy] = running
        if is_news:  # libcurl reads the addresses now, before transfers for the same name are added
            self._multi.begin_added()
        return None

    def _begin_mail(self, running: Running[Tag], handle: SmtpHandle) -> None:
        """Send a mail in the thread of its handle."""
        resolution, name = running.resolution, running.server.name
        if resolution is not None and name is not None:
            handle.set_addresses((name, running.server.port), resolution.addresses, None)
        handle.send(self._mail_ended)
        self._running[handle.easy] = running

    def _mail_ended(self, easy: pycurl.Curl, error: int, text: str) -> None:
        """Note how a mail ended (called in its thread)."""
        self._mailed.append((easy, error, text))
        self.wake()

    def _age_max_s(self, running: Running[Tag]) -> int:
        """Return how old a connection may be for a transfer to use it; 0: it needs a new one."""
        if running.tries > 1:
            return 0
        if self._doubts.is_empty:
            return LIFETIME_S
        origin = running.server.origin
        shares = self._protocols.speaks_h2(origin)
        return self._doubts.age_max_s(origin, time.monotonic(), shares=shares)

    def _set_protocol(self, handle: Handle, origin: str) -> None:
        """Share connections of HTTP/2; where it is not known, note when the first one stands."""
        handle.set_sharing(self._protocols.speaks_h2(origin))
        if self._protocols.needs_scout(origin):
            self._scouts.add(handle.easy)
            handle.easy.setopt(pycurl.PREREQFUNCTION, partial(self._connects, origin))

    def _connects(self, origin: str, *_: object) -> int:
        """Note that a newcomer's connection stands (libcurl's callback, before the request)."""
        self._connected.append(origin)
        return int(pycurl.PREREQFUNC_OK)

    def _handle_for(self, transfer: Post | Mail) -> Handle:
        """Take an idle handle, or make one."""
        kind = type(transfer)
        if idle := self._idle[kind]:
            return idle.pop()
        handle = HANDLES[kind](self._settings)
        if kind is Post:
            handle.easy.setopt(pycurl.SOCKOPTFUNCTION, self._multi.opened)
            handle.easy.setopt(pycurl.XFERINFOFUNCTION, Moves(self._multi).moved)
        return handle

    def wait(self, timeout_s: float) -> Iterator[tuple[Tag, Answer]]:
        """Move everything on, waiting up to the timeout; give what has ended, with its answer."""
        self._multi.run_timers()
        self._read()  # what has ended already: no socket would wake us for it
        if self._unread or self._connected or self._behind:
            timeout_s = 0.0
        elif not self._names.is_empty:
            timeout_s = min(timeout_s, NAME_WAIT_S)
        self._multi.wait(timeout_s)
        self._multi.run_timers()
        self._read()
        return chain(self._ended(), self._begin_resolved(), self._begin_behind())

    def _begin_resolved(self) -> list[tuple[Tag, Answer]]:
        """Begin what waited for a name; return what cannot begin, or has waited too long."""
        now = time.monotonic()
        failed = []
        for running, resolution in () if self._names.is_empty else self._names.leave(now):
            running.ends = now + self._settings.send_deadline_s
            if answer := self._resume(running, resolution):
                failed.append((running.tag, answer))
        return failed

    def _resume(self, running: Running[Tag], resolution: Resolution | None) -> Answer | None:
        """Begin a transfer that waited for its name, if it may still begin."""
        is_found = resolution is not None and not resolution.error
        if is_found and not self._may_begin(running.tag, self._settings.send_deadline_s, False):
            return TOO_LATE
        return self._resolved(running, resolution)

    def _begin_behind(self) -> Iterator[tuple[Tag, Answer]]:
        """Begin what waited for a newcomer, with all of its time; give what cannot begin.

        Where its lease does not last for that, with what is left of its own deadline.
        """
        while self._connected:
            self._behind += self._protocols.connected(self._connected.pop())
        while self._behind:
            running = self._behind.pop(0)
            now, left_s = time.monotonic(), self._settings.send_deadline_s
            if not self._may_begin(running.tag, left_s, False):  # its lease may be short
                left_s = max(LEFT_MIN_S, running.ends - now)
                if not self._may_begin(running.tag, left_s, False):
                    yield running.tag, TOO_LATE
                    continue
            running.ends = now + left_s
            if error := self._begin(running, left_s=left_s):
                yield running.tag, error

    def wake(self) -> None:
        """End a wait."""
        self._multi.wake()

    def unbegun(self) -> list[Tag]:
        """Give up what waits for a name, or for a newcomer's connection; return the tags."""
        waiting = self._behind + self._protocols.clear() + self._names.clear()
        self._behind = []
        return [running.tag for running in waiting]

    def abort(self) -> list[Tag]:
        """Give up all; return the tags."""
        tags = self.unbegun()
        for easy, running in list(self._running.items()):
            if isinstance(running.handle, SmtpHandle):
                running.handle.give_up()
            else:
                self._multi.remove(easy)
            tags.append(running.tag)
        self._running.clear()
        self._unread.clear()
        self._mailed.clear()
        return tags

    def close(self) -> None:
        """Close every connection."""
        self.abort()
        self._multi.close()
        for idle in self._idle.values():
            for handle in idle:
                handle.give_up()

    def _read(self) -> None:
        """Take what has ended."""
        self._unread += self._multi.ended()
        while self._mailed:
            self._unread.append(self._mailed.popleft())

    def _ended(self) -> Iterator[tuple[Tag, Answer]]:
        """Give what has ended; if the caller raises, it gets the rest from its next `wait`."""
        while self._unread:
            if ended := self._collect(*self._unread.popleft()):
                yield ended

    def _collect(self, easy: pycurl.Curl, error: int, text: str) -> tuple[Tag, Answer] | None:
        """Read the answer, and make the handle ready for another. None: it was begun anew."""
        running = self._running.pop(easy)
        handle = running.handle
        assert handle is not None
        try:
            answer = handle.answer(error, text)
        except Exception as unread:  # the outcome is unknown, and the attempt must end all the same
            answer = Answer(error=-1, error_text=str(unread), handed_over=True)
        anew = (error or answer.status == 421) and may_begin_anew(running.tries, handle, answer)
        if type(handle) is not SmtpHandle:
            self._multi.remove(easy)
        if running.secure:
            self._behind += self._heard(running.secure, answer, easy)
        if error == 0 or handle.reusable_after_error:
            self._idle[type(running.transfer)].append(handle)
        else:
            handle.give_up()
        if anew and (left_s := running.ends - time.monotonic()) >= LEFT_MIN_S:
            if not self._may_begin(running.tag, left_s, True):
                return running.tag, TOO_LATE
            if self._began_anew(running, left_s):
                return None
        if answer.error or answer.status >= 400 or running.is_fresh:  # else it teaches nothing
            self._doubt(running, handle, answer)
        return running.tag, answer

    def _doubt(self, running: Running[Tag], handle: Handle, answer: Answer) -> None:
        """Learn whether connections to an origin may be used again."""
        if answer.error == NOT_ALLOWED:
            return
        if handle.has_failed(answer):
            if answer.short_of is None:
                self._doubts.failed(running.server.origin, time.monotonic())
        elif running.is_fresh:
            self._doubts.answered(running.server.origin)

    def _heard(self, origin: str, answer: Answer, easy: pycurl.Curl) -> list[Running[Tag]]:
        """Learn what an origin speaks; return what has waited for that."""
        if easy in self._scouts:
            self._scouts.remove(easy)
            easy.setopt(pycurl.PREREQFUNCTION, None)
        if not answer.status:
            return self._protocols.silent(origin)
        version = easy.getinfo(pycurl.INFO_HTTP_VERSION)
        return self._protocols.answered(origin, version == pycurl.CURL_HTTP_VERSION_2_0)

    def _began_anew(self, running: Running[Tag], left_s: float) -> bool:
        """Begin a transfer anew within its deadline, as its connection was dead: no attempt counts.

        It may have arrived all the same. The receiver knows it by its id then, as it would know the
        next attempt.
        """
        running.tries += 1
        return self._begin(running, left_s=left_s) is None


def may_begin_anew(tries: int, handle: Handle, answer: Answer) -> bool:
    """Return whether a transfer may begin anew: once after a dead connection, or TRIES_MAX times.

    The latter after refusals, which say that nothing was processed.
    """
    if handle.was_refused(answer):
        return tries < TRIES_MAX
    return tries == 1 and handle.was_dead(answer)


def smtp_server(url: str) -> Server:
    """Return the server that SMTP_URL leads to."""
    known = mail_server(url)
    return Server(f"smtp://{known.host}", name_of(known.host), known.port, is_secure=False)
