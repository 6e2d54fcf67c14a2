"""Push log lines to Loki from a bounded queue in one thread, so that no caller ever waits."""

import gzip
import os
import random
import socket
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import certifi
import pycurl
from loguru import logger

from service.logs.backlog import Backlog, body, chunk
from service.logs.outage import Outage
from service.metrics import LogMetrics
from service.names.lookups import Lookups, addresses
from service.names.origin import server

if TYPE_CHECKING:
    from loguru import Message

PATH = "/loki/api/v1/push"
LINGER_S = 1.0
TIMEOUT_S = 3.0  # of one push, in all
BACKOFF_MIN_S = 0.5
BACKOFF_MAX_S = 15.0
STOP_MAX_S = 3.0
ADDRESSES_S = 60  # for how long the addresses of a name, and a connection, are used
LOOK_UP_MAX_S = 1.0
ASKED_MAX_S = 300.0  # a longer Retry-After is cut: while we wait, the oldest lines are dropped
LATE_WAIT_S = 0.05  # for a look-up whose answer did not come in time before
ANSWER_BYTES = 200  # that we keep of its answer to a push


class Loki:
    """A sink of loguru. Writing never waits and never fails; stopping takes STOP_MAX_S at most.

    While Loki does not answer, one batch is tried again and again; in the queue behind it newer
    lines replace the oldest.
    """

    def __init__(
        self,
        url: str,
        metrics: LogMetrics,
        *,
        backlog: Backlog | None = None,
        linger_s: float = LINGER_S,
        backoff_min_s: float = BACKOFF_MIN_S,
    ) -> None:
        self.metrics = metrics
        self.dropped_full = metrics.dropped.labels("full")
        self.dropped_refused = metrics.dropped.labels("refused")
        self.endpoint = Endpoint(url)
        self.backlog = backlog or Backlog()
        self.linger_s = linger_s
        self.backoff_min_s = backoff_min_s
        self.outage = Outage("loki")
        self.in_hand = 0  # lines of the batch that is being pushed
        self.wake = threading.Event()
        self.stopping = threading.Event()
        self.stop_by = float("inf")
        self.thread = threading.Thread(target=self.run, name="loki", daemon=True)
        self.thread.start()

    def write(self, message: "Message") -> None:
        """Queue what was logged. Called by loguru."""
        if dropped := self.backlog.put(chunk(message.record)):
            self.dropped_full.inc(dropped)
        if self.backlog.fills_a_batch:
            self.wake.set()

    def stop(self) -> None:
        """Push what waits while there is time, and log how much is left. Called by loguru."""
        self.stop_by = time.monotonic() + STOP_MAX_S
        self.stopping.set()
        self.wake.set()
        self.thread.join(STOP_MAX_S)
        if left := self.in_hand + self.backlog.lines:
            logger.warning("log_lines_not_pushed", count=left)

    def run(self) -> None:
        """Push until stopped."""
        while not self.stopping.is_set():
            self.wake.wait(self.linger_s)
            self.wake.clear()
            self.turn()
        self.turn()

    def turn(self) -> None:
        """Push what waits; log whatever that raises."""
        try:
            self.push_all()
        except BaseException as error:  # a bug must not end the pushing
            self.dropped_refused.inc(self.in_hand)
            logger.opt(exception=error).error("log_push_failed", count=self.in_hand)
            self.in_hand = 0

    def push_all(self) -> None:
        """Push a batch, and go on while a whole batch waits; when stopping, until nothing does."""
        while batch := self.backlog.take():
            self.in_hand = sum(chunk.count for chunk in batch)
            if not self.delivered(gzip.compress(body(batch), 1)):
                return
            self.in_hand = 0
            if not (self.backlog.fills_a_batch or self.stopping.is_set()):
                return

    def delivered(self, body: bytes) -> bool:
        """Push one batch until Loki takes or refuses it. False: it did neither before the end."""
        backoff_s = self.backoff_min_s
        while True:
            is_last = self.stopping.is_set()
            timeout_s = min(TIMEOUT_S, self.stop_by - time.monotonic())
            if timeout_s <= 0:
                return False
            try:
                self.endpoint.post(body, timeout_s)
            except RefusedByLoki as error:
                self.dropped_refused.inc(self.in_hand)
                self.outage.away(error)
                return True
            except NoAnswer as error:
                self.metrics.failures.inc()
                self.outage.away(error)
                asked_s = error.asked_s
            else:
                self.metrics.pushed.inc(self.in_hand)
                self.outage.back()
                return True
            if is_last:
                return False
            self.stopping.wait(max(asked_s, backoff_s * random.uniform(0.5, 1.0)))
            backoff_s = min(backoff_s * 2, BACKOFF_MAX_S)


class RefusedByLoki(Exception):
    """Loki will never take this batch."""


class NoAnswer(Exception):
    """Loki may take this batch later, but not before `asked_s` seconds have passed."""

    def __init__(self, text: str, asked_s: float = 0.0) -> None:
        super().__init__(text)
        self.asked_s = asked_s


class Endpoint:
    """Where pushes go: one kept connection of libcurl, whose timeout covers the whole transfer."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.name, self.port = named(url)
        self.lookups = Lookups()
        self.addresses: tuple[str, ...] = ()
        self.look_up_at = 0.0
        self.answer = bytearray()
        self.easy = pycurl.Curl()
        path = parts.path.rstrip("/").removesuffix(PATH)
        host = parts.netloc.rpartition("@")[2]
        query = f"?{parts.query}" if parts.query else ""
        self.easy.setopt(pycurl.URL, f"{parts.scheme}://{host}{path}{PATH}{query}")
        # Each may be a token, and an answer may quote it.
        self.private = [text for text in (path.strip("/"), parts.query) if text]
        if parts.username is not None:
            self.easy.setopt(pycurl.USERNAME, unquote(parts.username).encode())
            self.easy.setopt(pycurl.PASSWORD, unquote(parts.password or "").encode())
        self.easy.setopt(pycurl.MAXLIFETIME_CONN, ADDRESSES_S)
        self.easy.setopt(pycurl.DNS_CACHE_TIMEOUT, -1)  # libcurl looks nothing up by itself
        self.easy.setopt(pycurl.NOSIGNAL, 1)  # signals belong to the main thread
        self.easy.setopt(pycurl.PROXY, "")  # the environment must not route our traffic
        self.easy.setopt(pycurl.CAINFO, os.environ.get("SSL_CERT_FILE") or certifi.where())
        self.easy.setopt(
            pycurl.HTTPHEADER,
            ["Content-Type: application/json", "Content-Encoding: gzip", "Expect:"],
        )
        self.easy.setopt(pycurl.WRITEFUNCTION, self.take)

    def post(self, body: bytes, timeout_s: float) -> None:
        """Push one gzipped body. Raises NoAnswer (also for 429 and 5xx) or RefusedByLoki."""
        ends = time.monotonic() + timeout_s
        self.answer.clear()
        self.look_up(timeout_s)
        self.easy.setopt(pycurl.POSTFIELDS, body)
        self.easy.setopt(pycurl.TIMEOUT_MS, max(1, int((ends - time.monotonic()) * 1000)))
        try:
            self.easy.perform()
        except pycurl.error as error:
            raise NoAnswer(error.args[1]) from error
        status = self.easy.getinfo(pycurl.RESPONSE_CODE)
        reason = f"HTTP {status} {self.shown_answer()}".strip()
        if status == 429 or status >= 500:
            # libcurl gives seconds from now, also where the header is a date, without any limit.
            raise NoAnswer(reason, min(self.easy.getinfo(pycurl.RETRY_AFTER), ASKED_MAX_S))
        if status >= 300:
            raise RefusedByLoki(reason)

    def look_up(self, timeout_s: float) -> None:
        """Look up the server's name, and hand libcurl the addresses. Raises NoAnswer.

        If libcurl looked it up, the end of the process would wait for a resolver that is silent.
        """
        name, port = self.name, self.port
        if name is None or time.monotonic() < self.look_up_at:
            return
        try:
            call = (name, port, socket.AF_UNSPEC, socket.SOCK_STREAM)
            wait_s = LATE_WAIT_S if call in self.lookups.late else LOOK_UP_MAX_S
            self.addresses = addresses(self.lookups.wait(call, min(timeout_s, wait_s)))
            self.look_up_at = time.monotonic() + ADDRESSES_S
        except (OSError, UnicodeError) as error:
            if not self.addresses:
                raise NoAnswer(str(error)) from error
            self.look_up_at = time.monotonic() + BACKOFF_MAX_S  # the known ones may still be right
        self.easy.setopt(pycurl.RESOLVE, [f"{name}:{port}:{','.join(self.addresses)}"])

    def shown_answer(self) -> str:
        """Return the answer's beginning, without the path and the query of LOKI_URL."""
        text = self.answer.decode(errors="replace")
        for private in self.private:
            text = text.replace(private, "…")
        return text

    def take(self, data: bytes) -> None:
        """Keep the first bytes of the answer."""
        self.answer += data[: ANSWER_BYTES - len(self.answer)]


def named(url: str) -> tuple[str | None, int]:
    """Say which name LOKI_URL brings, if any, and which port."""
    there = server(url)
    return (there.name, there.port) if there else (None, 0)
