"""The screen *Try it*: compose a notification, see it as a request, send it, see it arrive."""

from dataclasses import asdict, dataclass

from aiohttp import web

from service.access.caller import Caller
from service.access.scopes import may_send_on
from service.api.body import missing_setting
from service.api.parts import Parts
from service.channels.table import CHANNELS
from service.console.caught import LISTED, Caught, sees
from service.console.fields import option_fields, payload_fields, recipient_field
from service.console.preview import BYTES_MAX, previewed
from service.console.scheme import scheme
from service.console.screen import Screen
from service.http.problems import Problem
from service.inbox.inbox import Inbox
from service.model.words import Channel


@dataclass(frozen=True, slots=True)
class Choice:
    """A channel to choose. `hindrance`: why nothing can be sent on it; None: it can."""

    name: str
    hindrance: str | None


class Trying:
    """The form, and the request that it makes."""

    def __init__(self, parts: Parts, inbox: Inbox | None, caught: Caught) -> None:
        """`inbox`: of the same process, if any; `caught`: reads it."""
        self._parts = parts
        self._inbox = inbox
        self._caught = caught

    async def screen(self, request: web.Request, caller: Caller) -> Screen:
        """Show the form of a channel, and what the inbox caught."""
        choices = [Choice(name, self._hindrance(name, caller)) for name in CHANNELS]
        channel = chosen(request, choices)
        declared = CHANNELS[channel]
        return Screen(
            template="try.html",
            title="Try it",
            shows={
                "here_whole": str(request.rel_url),
                "channel": channel.value,
                "choices": choices,
                "hindrance": self._hindrance(channel, caller),
                "goes": self._goes(channel),
                "recipient": recipient_field(declared, self._recipient(channel)),
                "payload": payload_fields(declared),
                "payload_hint": declared.words.get("payload_in_advice"),
                "options": option_fields(),
                "listed_max": LISTED,
                "has_inbox": self._inbox is not None,
                "may_see": sees(caller),
                "caught": await self._caught.newest(caller),
            },
        )

    async def preview(self, request: web.Request, caller: Caller) -> web.Response:
        """Answer a body as requests of three kinds, in JSON. It changes nothing."""
        if (request.content_length or 0) > BYTES_MAX:
            raise Problem("body_too_large")
        url = f"{scheme(request)}://{request.host}"
        made = previewed(await request.read(), url, has_keys=not self._parts.ring.is_open)
        return web.json_response(asdict(made), headers={"Cache-Control": "no-store"})

    def _hindrance(self, channel: str, caller: Caller) -> str | None:
        """Say why a caller cannot send on a channel."""
        if setting := missing_setting(CHANNELS[Channel(channel)], self._parts.settings):
            return f"{setting} is not set: this service sends no {channel}."
        if not may_send_on(caller, channel):
            return f"Your key has no scope send:{channel}."
        if caller.channels is not None and channel not in caller.channels:
            return "Your key may not send on it."
        return None

    def _recipient(self, channel: Channel) -> str:
        """Choose a recipient to begin with: the inbox, where there is one."""
        if channel is Channel.WEBHOOK and self._parts.inbox_url:
            return f"{self._parts.inbox_url}/hook"
        return str(CHANNELS[channel].example["recipient"])

    def _goes(self, channel: Channel) -> str:
        """Say where what is sent here goes."""
        if self._parts.is_sandbox:
            return "Everything goes to the inbox of this sandbox, whatever its recipient."
        if channel is Channel.LOG:
            return "The worker writes a line to its log. Nothing leaves it."
        if channel is Channel.WEBHOOK and self._parts.inbox_url:
            return "The recipient below is the inbox. Another one gets a real request."
        mailbox = None if self._inbox is None else self._inbox.smtp_url
        if channel is Channel.EMAIL and self._parts.settings.smtp_url == mailbox:
            return "All mail of this service goes to its inbox, whatever the recipient."
        return "This is no rehearsal: it is sent to the recipient that you write."


def chosen(request: web.Request, choices: list[Choice]) -> Channel:
    """Return the channel that a URL names, or the first that works."""
    wanted = request.query.get("channel")
    if wanted in list(Channel):
        return Channel(wanted)
    return Channel(next((c.name for c in choices if c.hindrance is None), choices[0].name))
