"""The addresses that libcurl has of names, so that it looks none up."""

from collections import OrderedDict

from service.names.origin import Server
from workers.curl_handle import Handle, Place
from workers.names import Resolution

RESOLUTIONS_MAX = 2000  # libcurl finds a name in one of 71 lists


class Addresses:
    """What one sender's libcurl knows of names: it forgets none by itself.

    Threads: the sender's.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[Place, Resolution] = OrderedDict()  # last: what was used last

    def give(self, handle: Handle, server: Server, resolution: Resolution | None) -> bool:
        """Give libcurl the addresses of a name; False: it has them, or needs none.

        It reads them when the handle begins.
        """
        if resolution is None or server.name is None:
            return False
        place = server.name, server.port
        if self._known.get(place) is resolution:
            self._known.move_to_end(place)
            return False
        is_full = place not in self._known and len(self._known) >= RESOLUTIONS_MAX
        oldest = self._known.popitem(last=False)[0] if is_full else None
        handle.set_addresses(place, resolution.addresses, oldest)
        self._known[place] = resolution
        self._known.move_to_end(place)
        return True
