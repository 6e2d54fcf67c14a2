"""A resolver for tests: it answers for names under `test`, and hangs for some of them."""

import socket
import threading
from collections import Counter

REAL = socket.getaddrinfo


class Resolver:
    """Stands in for getaddrinfo(3) in Python only.

    Names under `.dead.test` hang until `release`; those under `.gone.test` do not exist; `answers`
    has the addresses of the others. `asked` counts the questions.
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
        addresses = self.answers.get(name, ["127.0.0.1"])
        return [answer for address in addresses for answer in REAL(address, port, *args, **kwargs)]
