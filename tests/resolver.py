"""A resolver for tests: it answers for names under `test`, and hangs where it is told to."""

import socket
import threading
from collections import Counter

REAL = socket.getaddrinfo


class Resolver:
    """Stands in for getaddrinfo(3): of Python, of nobody else.

    Names under `.dead.test` hang until `release`; `answers` says what a name stands for, and those
    under `.gone.test` are not there. `asked` counts.
    """

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.answers: dict[str, list[str]] = {}
        self.hangs = {"dead.test"}
        self.release = threading.Event()

    def getaddrinfo(self, host, port, *args, **kwargs):
        if not isinstance(host, str) or not host.rstrip(".").endswith(".test"):
            return REAL(host, port, *args, **kwargs)
        host.encode("idna")  # as Python does: a label may be too long
        name = host.rstrip(".")
        self.asked[name] += 1
        if any(name.endswith(end) for end in self.hangs):
            self.release.wait(60)
        if name.endswith("gone.test"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        found = self.answers.get(name, ["127.0.0.1"])
        return [answer for a in found for answer in REAL(a, port, *args, **kwargs)]
