"""A Loki for tests: it takes pushes, or fails as a real server can."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

HANG = 0  # the request is read, and never answered
DRIP = -1  # an answer that goes on for ever, a byte now and then


class Pushed(NamedTuple):
    """One line, as Loki keeps it."""

    labels: dict[str, str]
    ns: int
    line: str

    @property
    def fields(self) -> Any:
        """Read the line as `| json` does."""
        return json.loads(self.line)


class FakeLoki:
    """`answer`: the status of every answer from now on, or HANG, or DRIP."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.answer = 204
        self.retry_after: str | None = None
        self.requests: list[tuple[str, dict[str, str], Any]] = []  # path, headers, document
        self.statuses: list[int] = []
        self.ended = threading.Event()

    @property
    def taken(self) -> list[Pushed]:
        """What was pushed and answered 204, in the order of time."""
        answered = zip(self.requests, self.statuses, strict=False)
        return sorted(
            (
                Pushed(stream["stream"], int(ns), line)
                for (_, _, document), status in answered
                if status == 204
                for stream in document["streams"]
                for ns, line in stream["values"]
            ),
            key=lambda pushed: pushed.ns,
        )

    def story(self, id: str) -> list[Pushed]:
        """Search for an id, as an operator would."""
        return [pushed for pushed in self.taken if pushed.fields.get("notification_id") == id]


@contextmanager
def fake_loki(port: int = 0) -> Iterator[FakeLoki]:
    """Run one until the context ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = gzip.decompress(self.rfile.read(int(self.headers["content-length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = loki.answer
            with lock:
                loki.requests.append((self.path, headers, json.loads(body)))
                loki.statuses.append(answer)
            if answer == HANG:
                loki.ended.wait()
            elif answer == DRIP:
                self.drip()
            else:
                self.send_response(answer)
                self.send_header("content-length", "0")
                if loki.retry_after is not None:
                    self.send_header("retry-after", loki.retry_after)
                self.end_headers()

        def drip(self) -> None:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nx: ")
            try:
                while not loki.ended.wait(0.02):
                    self.wfile.write(b"x")
            except OSError:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    lock = threading.Lock()
    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        server.daemon_threads = True
        loki = FakeLoki(server)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield loki
        finally:
            loki.ended.set()
            server.shutdown()
            thread.join()
