"""One HTTP request and its answer, in bounded time and memory, whatever answers."""

import os
import re
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from typing import Any, cast
from urllib.parse import urlsplit

from notification_client._timed import ANSWER_MAX_BYTES, HEAD_MAX_BYTES, Misunderstood, Timed

IDLE_MAX = 8  # connections that are kept
BODILESS = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)  # though some send a body along
DIGITS = re.compile("[0-9]+")


class Lost(Exception):
    """No whole answer came: the connection failed, or the time is over."""


@dataclass(frozen=True, slots=True)
class Request:
    """A whole request; `path` comes after that of the URL."""

    method: str
    path: str
    body: bytes | None = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Message
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the service is. `tls`: None for http."""

    host: str
    port: int
    prefix: str
    tls: ssl.SSLContext | None


def place_of(url: str, tls: ssl.SSLContext | None) -> Place:
    """Read the service's URL. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("url is http://host[:port] or https://host[:port]")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("url has no user, query or fragment: the key is an argument of its own")
    if not parts.path.isascii() or any(not c.isprintable() or c == " " for c in parts.path):
        raise ValueError("the path of url is ASCII, percent-encoded")
    is_secure = parts.scheme == "https"
    return Place(
        host=parts.hostname,
        port=parts.port if parts.port is not None else 443 if is_secure else 80,
        prefix=parts.path.rstrip("/"),
        tls=(tls or ssl.create_default_context()) if is_secure else None,
    )


class Transfers:
    """Make requests on connections that are kept open. Any number of threads may use it."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._idle: list[tuple[int, Timed]] = []  # with the process that opened it

    def ask(self, request: Request, end: float) -> Answer:
        """Ask once. Raises Lost or Misunderstood. A redirect is an answer as any other.

        On a kept connection that the server has closed meanwhile it asks once more, on a new one.
        """
        kept = self._kept()
        if kept is not None:
            try:
                return self._asked(kept, request, end)
            except Lost:
                if time.monotonic() >= end:
                    self.close()  # what else is kept may be as dead
                    raise
        return self._asked(self._opened(end), request, end)

    def close(self) -> None:
        """Close what is kept."""
        while (kept := self._kept()) is not None:
            kept.shut()

    def _kept(self) -> Timed | None:
        while self._idle:
            try:
                process, timed = self._idle.pop()
            except IndexError:  # another thread was first
                return None
            if process == os.getpid() and timed.is_quiet():
                return timed
            timed.shut()  # after a fork it is the parent's, who still has it open
        return None

    def _asked(self, timed: Timed, request: Request, end: float) -> Answer:
        timed.end = end
        keeps = False
        try:
            answer, keeps = exchanged(timed, self._place, request)
        # http.client's frames hold the head that is sent, with the key: their traceback is dropped.
        except IncompleteRead as error:
            raise Lost("the answer ended early") from error.with_traceback(None)
        except OSError as error:
            raise Lost(str(error) or type(error).__name__) from error.with_traceback(None)
        except (HTTPException, ValueError, OverflowError) as error:  # a chunk of length -5, -f…f
            name = type(error).__name__
            raise Misunderstood(f"{name}: no HTTP answer") from error.with_traceback(None)
        finally:
            if keeps and len(self._idle) < IDLE_MAX:
                self._idle.append((os.getpid(), timed))
            else:
                timed.shut()
        return answer

    def _opened(self, end: float) -> Timed:
        """Connect to one of the host's addresses; each gets its share of the time.

        The look-up itself has the resolver's own limit.
        """
        place = self._place
        try:
            found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise Lost(f"{place.host}: {error}") from error
        reason: OSError = TimeoutError("the time is over")
        for tried, (*_, (host, port, *_)) in enumerate(found):
            share = (end - time.monotonic()) / (len(found) - tried)
            if share <= 0:
                break
            try:
                ends = time.monotonic() + share
                sock = socket.create_connection((str(host), int(port)), share)
                return self._secured(sock, ends)
            except OSError as error:
                reason = error
        raise Lost(f"{place.host}:{place.port}: {reason}") from reason

    def _secured(self, sock: socket.socket, ends: float) -> Timed:
        """Speak TLS where the URL says https, and check whose certificate it is."""
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._place.tls is not None:
                sock.settimeout(max(0.001, ends - time.monotonic()))  # 0 would not wait at all
                sock = self._place.tls.wrap_socket(sock, server_hostname=self._place.host)
        except BaseException:
            sock.close()
            raise
        return Timed(sock)


def exchanged(timed: Timed, place: Place, request: Request) -> tuple[Answer, bool]:
    """Send a request and read its answer; also returns whether the connection stays open."""
    http = HTTPConnection(place.host, place.port)
    http.sock = cast(socket.socket, timed)
    headers = dict(request.headers)
    if request.body is not None:
        headers["Content-Length"] = str(len(request.body))
    http.request(request.method, place.prefix + request.path, headers=headers)
    is_whole = request.body is None or is_sent(timed, request.body)
    timed.max_bytes = HEAD_MAX_BYTES
    response = http.getresponse()
    while is_interim(response) and not timed.has_ended:
        response.headers = response.msg = cast(Any, None)  # else begin() does nothing
        response.begin()
    if timed.has_ended:  # http.client takes what came of a head for the whole of it
        raise Lost("the answer ended early")
    timed.max_bytes += ANSWER_MAX_BYTES
    body = response.read(ANSWER_MAX_BYTES + 1)
    if len(body) > ANSWER_MAX_BYTES:
        raise Misunderstood(f"more than {ANSWER_MAX_BYTES} bytes")
    if response.length:
        raise Lost("the answer ended early")
    if not is_whole and 200 <= response.status < 300:
        raise Lost("the connection was closed before the whole request was sent")
    is_over = is_whole and response.isclosed() and not timed.has_surplus
    keeps = is_over and is_plain(response)
    response.close()
    return Answer(response.status, response.msg, body), keeps


def is_interim(response: HTTPResponse) -> bool:
    """Return whether the answer is still to come (RFC 9110, 15.2): http.client skips 100 alone.

    After 101 comes another protocol.
    """
    return 100 <= response.status < 200 and response.status != HTTPStatus.SWITCHING_PROTOCOLS


def is_plain(response: HTTPResponse) -> bool:
    """Return whether nobody can think that the answer ends elsewhere (RFC 9112, 6.3).

    If it did, the rest of it would be taken for the next answer.
    """
    if response.will_close or response.status < 200 or response.status in BODILESS:
        return False
    lengths = response.msg.get_all("Content-Length", [])
    codings = response.msg.get_all("Transfer-Encoding", [])
    if response.msg.defects or len(lengths) + len(codings) != 1:
        return False
    return all(DIGITS.fullmatch(length) for length in lengths) and (
        not codings or codings[0].lower() == "chunked"
    )


def is_sent(timed: Timed, body: bytes) -> bool:
    """Send the body, unless the other side ends the connection before.

    It may have refused the request by its head, and closed: its answer is there to be read.
    """
    try:
        timed.sendall(body)
    except TimeoutError:
        raise
    except OSError:
        return False
    return True
