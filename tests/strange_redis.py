"""A server that speaks Redis's protocol, and may answer anything."""

import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase

USUAL = {
    "HELLO": b"%1\r\n$5\r\nproto\r\n:3\r\n",
    "UNLINK": b":1\r\n",
    "ZADD": b":1\r\n",
    "EXPIRE": b":1\r\n",
    "ZCARD": b":0\r\n",
    "ZMSCORE": b"*1\r\n$-1\r\n",
    "BZMPOP": b"*-1\r\n",
    "INFO": b"$15\r\nused_memory:1\r\n\r\n",
    "CONFIG": b"%0\r\n",
}  # all others: OK


class StrangeRedis(socketserver.ThreadingTCPServer):
    """`answers`: what it says to a verb from now on, where that is not the usual.

    `late_s`: how long it waits before it answers a verb.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.url = f"redis://127.0.0.1:{self.server_address[1]}/0"
        self.answers: dict[str, bytes] = {}
        self.late_s: dict[str, float] = {}
        self.connections = 0

    def answer(self, verb: str) -> bytes:
        """Say what is answered."""
        return (USUAL | self.answers).get(verb, b"+OK\r\n")


class Conversation(socketserver.StreamRequestHandler):
    """One connection."""

    server: StrangeRedis

    def handle(self) -> None:
        self.server.connections += 1
        while command := command_of(self.rfile):
            verb = command[0].upper().decode()
            time.sleep(self.server.late_s.get(verb, 0.0))
            self.wfile.write(self.server.answer(verb))


def command_of(file: BufferedIOBase) -> list[bytes]:
    """Read one command; empty: the connection ended."""
    head = file.readline()
    return [file.read(int(file.readline()[1:]) + 2)[:-2] for _ in range(int(head[1:] or 0))]


@contextmanager
def strange_redis() -> Iterator[StrangeRedis]:
    """Run one."""
    with StrangeRedis() as server:
        threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
        yield server
        server.shutdown()
