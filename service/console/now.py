"""The screen *Now*: the numbers that say whether one can sleep."""

from aiohttp import web

from service.access.caller import Caller
from service.api.parts import Parts
from service.console.screen import Screen


class Now:
    """What happens at this moment."""

    def __init__(self, parts: Parts) -> None:
        self._reads = parts.reads

    async def screen(self, request: web.Request, caller: Caller) -> Screen:
        """Show it."""
        return Screen(template="now.html", title="Now")
