"""Wait for many sockets: by epoll itself where there is one, else by `selectors` (kqueue).

On top of epoll, `selectors` makes an object for each socket that is ready.
"""

import select
import selectors
from contextlib import suppress

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE  # libcurl has the same bits
BOTH = READ | WRITE


class EpollPoller:
    """What is waited for, by descriptor: READ, WRITE or both."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._wanted: dict[int, int] = {}
        to_read, to_write = select.EPOLLIN, select.EPOLLOUT
        self._masks = {READ: to_read, WRITE: to_write, BOTH: to_read | to_write}
        self._events = {to_read: READ, to_write: WRITE}  # any other mask: both, or an error

    def register(self, fd: int, events: int) -> None:
        """Wait for a socket, too."""
        self._epoll.register(fd, self._masks[events])
        self._wanted[fd] = events

    def modify(self, fd: int, events: int) -> None:
        """Wait for something else of a socket."""
        self._epoll.modify(fd, self._masks[events])
        self._wanted[fd] = events

    def unregister(self, fd: int) -> None:
        """Wait no more for a socket, which may be closed by now."""
        del self._wanted[fd]
        with suppress(OSError):  # the kernel has forgotten it
            self._epoll.unregister(fd)

    def select(self, timeout_s: float) -> list[tuple[int, int]]:
        """Wait up to the timeout for the first that is ready; return all that are, and for what.

        One that has failed is ready for all that it is waited for.
        """
        # epoll rounds up to milliseconds; to it a negative time is no limit.
        ready = self._epoll.poll(max(0.0, timeout_s), max(1, len(self._wanted)))
        wanted, events = self._wanted, self._events
        return [(fd, events.get(mask, BOTH) & wanted[fd]) for fd, mask in ready if fd in wanted]

    def close(self) -> None:
        """Free what the kernel holds."""
        self._epoll.close()


class SelectorPoller:
    """The same by the standard library."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self.register = self._selector.register
        self.modify = self._selector.modify
        self.close = self._selector.close

    def unregister(self, fd: int) -> None:
        """Wait no more for a socket, which may be closed by now."""
        with suppress(KeyError):  # modify() forgets one that was closed
            self._selector.unregister(fd)

    def select(self, timeout_s: float) -> list[tuple[int, int]]:
        """Wait as EpollPoller does."""
        return [(key.fd, events) for key, events in self._selector.select(timeout_s)]


def new_poller() -> EpollPoller | SelectorPoller:
    """Make the quicker one, if this system has it."""
    return EpollPoller() if hasattr(select, "epoll") else SelectorPoller()
