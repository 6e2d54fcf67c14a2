"""A server that answers as a test wrote it, byte by byte: for clients that must not believe it."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Script = Callable[[socket.socket, int], None]


class Liar:
    """Accepts connections until it is closed; keeps what was asked, as far as `reads` reads it."""

    def __init__(
        self, script: Script, reads: Callable[[socket.socket], bytes],
        tls: ssl.SSLContext | None = None,
    ) -> None:  # fmt: skip
        self._script = script
        self._reads = reads
        self._tls = tls
        self._listening = socket.create_server(("127.0.0.1", 0))
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._listening.getsockname()[1]}"
        self.asked: list[bytes] = []
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connection in self._open:
            connection.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            # As real servers do: else the answer may wait for an ACK, and the close discards it.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.append(connection)
            threading.Thread(target=self._answer, args=[connection], daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                while request := self._reads(connection):
                    self.asked.append(request)
                    self._script(connection, len(self.asked))
        except OSError:
            return


def read_head(connection: socket.socket) -> bytes:
    """Read until the head has come; with it comes what was sent along."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return b""
        data += part
    return data


def read_request(connection: socket.socket) -> bytes:
    """Read one request with the length that it says."""
    data = read_head(connection)
    if not data:
        return b""
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [
        int(line.split(b":")[1])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    ]
    while len(body) < sum(lengths):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def answer(
    body: bytes = b"", status: str = "200 OK", *headers: str, length: int | None = None
) -> bytes:
    """Write an answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


@contextmanager
def lying(
    script: Script | bytes, reads: Callable[[socket.socket], bytes] = read_request,
    tls: ssl.SSLContext | None = None,
) -> Iterator[Any]:  # fmt: skip
    """Serve a script, or the same answer each time."""
    said = script
    says = (lambda connection, _: connection.sendall(said)) if isinstance(said, bytes) else said
    liar = Liar(says, reads, tls)
    try:
        yield liar
    finally:
        liar.close()
