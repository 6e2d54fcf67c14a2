"""A kept connection whose descriptor is libcurl's: whether its peer spoke unasked, and its end."""

import select
import socket
from contextlib import suppress


def is_spoken_on(fd: int) -> bool:
    """Return whether something has come, or the peer has closed."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))


def shut_down(fd: int) -> None:
    """End the connection, but leave its descriptor: what is sent on it fails at once."""
    with suppress(OSError):  # it has ended
        connection = socket.socket(fileno=fd)
        try:
            connection.shutdown(socket.SHUT_RDWR)
        finally:
            connection.detach()
