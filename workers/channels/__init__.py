"""The channels, by the name that a notification gives."""

import time
from collections.abc import Callable

from service.config.settings import Settings
from service.model.words import Channel as Name
from workers.channels.channel import Channel
from workers.channels.email import EmailChannel
from workers.channels.log import LogChannel
from workers.channels.sandbox import Sandboxed
from workers.channels.webhook import WebhookChannel


def channels(
    settings: Settings, now: Callable[[], float] = time.time, sandbox: str | None = None
) -> dict[str, Channel]:
    """Return how each channel is delivered. `now` gives the time, in seconds since 1970.

    `sandbox`: the inbox that takes everything, as `http://host:port`; None: there is none. Raises
    ConfigError for a value that is no webhook secret.
    """
    webhook = WebhookChannel(settings, now)
    email = EmailChannel(settings, now)
    if sandbox is not None:
        sandboxed = Sandboxed(webhook, sandbox)
        return {Name.WEBHOOK: sandboxed, Name.EMAIL: email, Name.LOG: sandboxed}
    return {Name.WEBHOOK: webhook, Name.EMAIL: email, Name.LOG: LogChannel()}
