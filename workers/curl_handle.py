"""What libcurl's easy handles for HTTP and for SMTP share: they are armed for each transfer."""

import os
import re
import socket
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

import certifi
import pycurl

from service.config.settings import Settings
from workers.channels.channel import Answer
from workers.doubts import LIFETIME_S
from workers.shortage import Address

BODY_KEPT_BYTES = 4096
CONNECT_MAX_S = 5.0  # TCP and TLS for a webhook; TCP alone for a mail, as greetings may be slow
Place = tuple[str, int]  # a name and its port

ALERT = re.compile(r"\balert\b")
DROPPED = (
    pycurl.E_SEND_ERROR,
    pycurl.E_RECV_ERROR,
    pycurl.E_GOT_NOTHING,
    pycurl.E_HTTP2,
)


class Opened:
    """A socket of which pycurl takes a duplicate: ours closes when nobody has it any more."""

    def __init__(self, made: socket.socket) -> None:
        self.made = made
        self.fileno = made.fileno

    def __del__(self) -> None:
        self.made.close()


class Handle(ABC):
    """One easy handle and what it has read; reused: to make one costs more than a transfer."""

    reusable_after_error = True

    def __init__(self, settings: Settings) -> None:
        self.easy = pycurl.Curl()
        self._kept = bytearray()
        self._tried: list[Address] = []
        self._unsent: bytes | memoryview = b""
        self._deadline_s = settings.send_deadline_s
        self._was_late = False
        self._age_max_s = LIFETIME_S
        self._shares = False
        set_common(self.easy, settings.send_deadline_s)

    @abstractmethod
    def answer(self, error: int, error_text: str) -> Answer:
        """Return what came back."""

    @abstractmethod
    def has_failed(self, answer: Answer) -> bool:
        """Return whether the host that the connection leads to may be to blame."""

    @abstractmethod
    def was_dead(self, answer: Answer) -> bool:
        """Return whether the transfer met a used connection that nobody served any more."""

    def begin(
        self, transfer: Any, left_s: float | None = None, age_max_s: int = LIFETIME_S
    ) -> None:
        """Set up a transfer.

        `left_s`: of its time; None: all. `age_max_s`: of a used connection; 0: make a new one.
        """
        if age_max_s != self._age_max_s:
            self.easy.setopt(pycurl.FRESH_CONNECT, age_max_s == 0)
            self.easy.setopt(pycurl.MAXLIFETIME_CONN, age_max_s or LIFETIME_S)
            self._age_max_s = age_max_s
        is_late = left_s is not None
        if is_late or self._was_late:
            self.easy.setopt(pycurl.TIMEOUT_MS, int((left_s or self._deadline_s) * 1000))
            self._was_late = is_late
        self._tried.clear()
        self._arm(transfer)

    def set_addresses(self, place: Place, addresses: Iterable[str], gone: Place | None) -> None:
        """Give libcurl the addresses of a name and its port, for all handles of this thread.

        It keeps them until it is told that they are `gone`: those of another place, if any.
        """
        forgotten = [f"-{gone[0]}:{gone[1]}"] if gone else []
        known = f"+{place[0]}:{place[1]}:{','.join(addresses)}"
        self.easy.setopt(pycurl.RESOLVE, [*forgotten, known])

    def set_sharing(self, shares: bool) -> None:
        """Say whether to wait for a connection that others use at the same time."""
        if shares != self._shares:
            self.easy.setopt(pycurl.PIPEWAIT, shares)
            self._shares = shares

    def was_refused(self, answer: Answer) -> bool:
        """Return whether the receiver has said that it did not process the transfer."""
        return False

    def give_up(self) -> None:
        """Close the handle, as it is no longer needed."""
        self._close()

    @abstractmethod
    def _arm(self, transfer: Any) -> None:
        """Set what is new in this transfer."""

    def _new_socket(self, address: Any) -> socket.socket:
        """Make the socket for an address that libcurl is about to connect. Raises OSError."""
        self._tried.append((address.family, address.addr))
        return socket.socket(address.family, address.socktype, address.protocol)

    def _alerted(self, error: int, error_text: str, *, is_out: bool) -> int:
        """Tell a TLS alert from a lost connection. `is_out`: we have sent more than a handshake.

        Under TLS 1.3 a server that refuses us says so after our handshake, and what libcurl sends
        then may fail before it has read that. On a connection used before, any end is a reason to
        begin anew.
        """
        if error not in (pycurl.E_RECV_ERROR, pycurl.E_SEND_ERROR) or self._is_reused():
            return error
        is_shaken = self.easy.getinfo(pycurl.APPCONNECT_TIME) > 0
        if ALERT.search(error_text) or (is_shaken and not is_out):
            return int(pycurl.E_SSL_CONNECT_ERROR)
        return error

    def _is_reused(self) -> bool:
        """Return whether the transfer made no connection: it used an old one, or got none."""
        return not self.easy.getinfo(pycurl.NUM_CONNECTS)

    def _close(self) -> None:
        """Free what libcurl holds for the handle."""
        self.easy.close()

    def _give(self, size: int) -> bytes:
        """Hand the next bytes of the body to libcurl: mostly all of it, which needs no copy."""
        unsent = self._unsent
        if len(unsent) <= size:
            self._unsent = b""
            return bytes(unsent)
        part = bytes(unsent[:size])
        self._unsent = memoryview(unsent)[size:]
        return part


def set_common(easy: Any, deadline_s: float) -> None:
    """Set what HTTP and SMTP share."""
    easy.setopt(pycurl.NOSIGNAL, 1)  # signals belong to the main thread
    # Else it walks through all names after each transfer: 0.1 ms beside 5,000, 3 ms beside 20,000.
    easy.setopt(pycurl.DNS_CACHE_TIMEOUT, -1)
    easy.setopt(pycurl.MAXLIFETIME_CONN, LIFETIME_S)
    easy.setopt(pycurl.PROXY, "")  # the environment must not route our traffic
    easy.setopt(pycurl.NOPROXY, "")  # nor past a proxy of ours
    easy.setopt(pycurl.CAINFO, os.environ.get("SSL_CERT_FILE") or certifi.where())
    easy.setopt(pycurl.TIMEOUT_MS, int(deadline_s * 1000))
