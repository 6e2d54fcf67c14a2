"""A catcher for trying things out: an HTTP endpoint and a mail server that print what arrives.

Both can be asked to fail, so that retries can be watched:

    http://…/status/503     answers 503 (200 to 599)
    http://…/slow/2.5       answers after 2.5 s (at most 60); both may stand in one path
    550@example.org         a mail to it is refused with that code (400 to 599)

What arrived can be asked for: GET /arrivals, see ops/SANDBOX.md.
"""

import os
import sys
from typing import Protocol, TextIO

from service.errors import StartError
from service.inbox.arrivals import Arrivals, LookUp
from service.inbox.http import HttpInbox
from service.inbox.lines import Lines
from service.process.distribution import install

HTTP_PORT = 3080
SMTP_PORT = 3025


class Inbox:
    """The HTTP and the mail half, in the event loop that calls start(). Anybody may send to it."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        http_port: int = HTTP_PORT,
        smtp_port: int = SMTP_PORT,
        secrets: tuple[str, ...] = (),
        verbose: bool = False,
        out: TextIO | None = None,
        look_up: LookUp | None = None,
    ) -> None:
        """Prepare. Port 0 means any free one: after start() the attributes hold the real port.

        `secrets` check the signatures of webhooks: any of them will do. `verbose` prints headers
        and bodies below each line. `out`: None is stdout. `look_up`: asks the ledger what it knows
        of what arrived; None: there is none. Raises StartError.
        """
        self.host = host
        self.http_port = http_port
        self.smtp_port = smtp_port
        lines = Lines(out or sys.stdout, verbose=verbose)
        self.arrivals = Arrivals(look_up)
        self._http = HttpInbox(lines, self.arrivals, secrets)
        self._smtp = smtp_inbox(lines, self.arrivals)

    @property
    def smtp_url(self) -> str:
        """The SMTP_URL by which mail comes here."""
        return f"smtp://{self.host}:{self.smtp_port}"

    async def start(self) -> None:
        """Listen on both ports. Raises StartError, with nothing left listening."""
        try:
            self.http_port = await listen(self._http, self.host, self.http_port)
            self.smtp_port = await listen(self._smtp, self.host, self.smtp_port)
        except StartError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop listening, and close what is open. It may be called twice."""
        await self._smtp.stop()
        await self._http.stop()


class Half(Protocol):
    """One of the two servers."""

    async def start(self, host: str, port: int) -> int:
        """Listen, and give the port. Raises OSError."""

    async def stop(self) -> None:
        """Stop listening, and close what is open."""


async def listen(half: Half, host: str, port: int) -> int:
    """Start one half, and give its port. Raises StartError."""
    try:
        return await half.start(host, port)
    except OSError as error:
        # asyncio's own text is half a line of addresses; an unknown host has a negative errno.
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise StartError(
            f"the inbox cannot listen on {host}:{port}: {reason}: stop what does, or choose another"
        ) from error


def smtp_inbox(lines: Lines, arrivals: Arrivals) -> Half:
    """Make the mail half, whose library is an optional dependency. Raises StartError without it."""
    try:
        from service.inbox.smtp import SmtpInbox  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise StartError(f"{error.name} is not installed: {install('embedded')}") from None
    return SmtpInbox(lines, arrivals)
