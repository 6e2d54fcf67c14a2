"""An SMTP server that keeps every byte it was sent, and offers the extensions of the test."""

import socketserver
import threading
from dataclasses import dataclass, field


@dataclass
class Wire:
    """What one connection sent: its commands in order, and each mail without its extra dots."""

    commands: list[str] = field(default_factory=list)
    mails: list[bytes] = field(default_factory=list)


class WireServer(socketserver.ThreadingTCPServer):
    """Listen on a free port of loopback."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, *offers: str) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.offers = offers
        self.wires: list[Wire] = []
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"smtp://127.0.0.1:{self.server_address[1]}"

    @property
    def commands(self) -> list[str]:
        """Everything that was commanded, on any connection."""
        return [command for wire in self.wires for command in wire.commands]

    @property
    def mails(self) -> list[bytes]:
        """Everything that was taken."""
        return [mail for wire in self.wires for mail in wire.mails]

    def stop(self) -> None:
        """Stop listening."""
        self.shutdown()
        self.server_close()


class Conversation(socketserver.StreamRequestHandler):
    """Say yes to everything."""

    server: WireServer
    timeout = 20

    def handle(self) -> None:
        wire = Wire()
        self.server.wires.append(wire)
        self.say("220 wire")
        while line := self.rfile.readline():
            wire.commands.append(line.rstrip(b"\r\n").decode("utf-8", "backslashreplace"))
            verb = line[:4].upper()
            if verb == b"EHLO":
                self.say("\r\n".join(f"250-{offer}" for offer in ("wire", *self.server.offers)))
                self.say("250 HELP")
            elif verb == b"DATA":
                self.say("354 go on")
                wire.mails.append(self.data())
                self.say("250 taken")
            elif verb == b"QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 fine")

    def data(self) -> bytes:
        """Read up to the lone dot, and take one dot off lines that begin with one."""
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b"."))
        return b"".join(lines)

    def say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")
